"""Changes: what a manifest's verbs do to one record."""

# ``change`` holds what every verb has in common, ``verbs`` and ``replacements`` the verbs, ``scopes``
# finds the objects that one is made in, ``edits`` carries it out; ``by_example`` derives edits from
# two examples.
