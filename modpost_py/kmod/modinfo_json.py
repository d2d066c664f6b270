# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``modinfo-py --json`` tells of a module; ``docs/modinfo-py.md`` has the schema.

Bytes that are no UTF-8 appear as the escapes ``\\udc80`` to ``\\udcff``.
"""

from __future__ import annotations

from modpost_py.kmod.modinfo_report import parameters
from modpost_py.kmod.signature import Signature
from modpost_py.kmod.symbol_versions import SymbolVersion

#: A value of a JSON document.
Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def module_document(
    name: str,
    path: str | None,
    entries: list[str],
    signature: Signature | None,
    versions: list[SymbolVersion] | None = None,
) -> dict[str, Json]:
    """The JSON object of one module; ``entries`` without those of its signature, ``path`` None if it is built in.

    It has a key ``versions`` only where they are given.
    """
    values: dict[str, list[Json]] = {}
    for entry in entries:
        tag, _, value = entry.partition("=")
        values.setdefault(tag, []).append(value)
    depends = values.get("depends", [""])[0]
    document: dict[str, Json] = {
        "name": name,
        "filename": path,
        "builtin": path is None,
        "depends": [needed for needed in str(depends).split(",") if needed],
        "modinfo": dict(values),
        "parameters": [
            {"name": parameter.name, "type": parameter.type, "description": parameter.description}
            for parameter in parameters(entries)[0]
        ],
        "signature": None if signature is None else _signature_document(signature),
    }
    if versions is not None:
        document["versions"] = [
            {"symbol": version.symbol, "crc": version.crc_text, "tables": list(version.tables)} for version in versions
        ]
    return document


def _signature_document(signature: Signature) -> dict[str, Json]:
    return {
        "sig_id": signature.id_type,
        "signer": signature.signer,
        "sig_key": signature.key_id.hex(":").upper(),
        "sig_hashalgo": signature.hash_algorithm,
        "signature": signature.signature.hex(":").upper(),
    }
