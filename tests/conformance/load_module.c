/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load-module FILE [PARAMETERS]: give FILE to finit_module(2) once, print 0 or the kernel's error number.
 *
 * Needs no C library, so that a cross compiler alone can make it.
 */

#if defined(__x86_64__)
enum { WRITE = 1, EXIT = 60, OPENAT = 257, FINIT_MODULE = 313 };

static long call(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
#elif defined(__aarch64__)
enum { OPENAT = 56, WRITE = 64, EXIT = 93, FINIT_MODULE = 273 };

static long call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl begin\n");
#else
#error "no system calls known for this machine"
#endif

#define CURRENT_DIRECTORY -100

static void print_number(unsigned long number)
{
	char text[24];
	char *end = text + sizeof(text), *start = end;

	*--start = '\n';
	do
		*--start = '0' + number % 10;
	while (number /= 10);
	call(WRITE, 1, (long)start, end - start, 0);
}

/* The stack at a program's start: the number of arguments, then the pointers to them. */
__attribute__((used, noreturn)) void begin(long *stack)
{
	char **arguments = (char **)(stack + 1);
	long result = -22;

	if (stack[0] >= 2) {
		result = call(OPENAT, CURRENT_DIRECTORY, (long)arguments[1], 0, 0);
		if (result >= 0)
			result = call(FINIT_MODULE, result, (long)(stack[0] > 2 ? arguments[2] : ""), 0, 0);
	}
	print_number(result < 0 ? -result : 0);
	call(EXIT, result < 0, 0, 0, 0);
	for (;;)
		;
}
