"""Planning: declared operations and an environment's records become a stored, immutable plan.

Planning is given a ``CatalogueReader``, which has no method that writes.

Whatever looks at one record may end its planning: with ``PassedOver`` (nothing is to be done),
``NotFound`` or ``Refused``, which the ``Drafter`` turns into the change that says so. Where the
environment does not answer, ``CatalogueUnreachable`` ends the planning of the whole.
"""
