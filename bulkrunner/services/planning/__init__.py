"""Planning: declared operations and an environment's records become a stored, immutable plan.

Planning is given a ``CatalogueReader``, which has no method that writes.
"""
