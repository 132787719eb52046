"""What becomes of each record of the job."""


def change(record, context):
    """Return the record changed, {"skip": reason} or {"refuse": reason}.

    context has id, row (the columns of a table), parameters, bib, lookup(id) and file(name).
    It must answer the same each time; it is called twice on a sample.
    """
    return {"skip": "FYLL_I_FUNKTION"}  # replace it by what is to be done, such as:
    # item = record["@graph"][1]
    # notes = item.get("hasNote", [])
    # notes = notes if isinstance(notes, list) else [notes]
    # if not notes:
    #     return {"skip": "ingen anmärkning"}
    # for note in notes:
    #     note["label"] = note["label"].strip().rstrip(".")
    # return record
