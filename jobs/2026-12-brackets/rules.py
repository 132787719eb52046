"""Balances the brackets of call number suffixes."""


def change(record, context):
    """Return the holding with every suffix in brackets."""
    item = record["@graph"][1]
    suffixes = item.get("callNumberSuffix", [])
    suffixes = suffixes if isinstance(suffixes, list) else [suffixes]
    bare = [suffix.strip(" ()") for suffix in suffixes]
    kept = [f"[{suffix}]" for suffix in bare if suffix]
    if not kept:
        return {"skip": "inget signumtillägg"}
    item["callNumberSuffix"] = kept
    return record
