"""Changes: what a manifest's verbs do to one record.

``kinds`` says what is declared, ``scopes`` finds the objects that a change is made in, ``verbs``
turns it into edits, ``edits`` carries them out; ``example`` derives edits from two examples.
"""
