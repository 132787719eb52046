"""A ``Progress`` that says nothing, for tests that hear of some of it."""


class NullProgress:
    def begin(self, what, total):
        pass

    def advance(self, done, counts):
        pass

    def waiting(self, reason, seconds):
        pass

    def note(self, message, *, action, **extra):
        pass

    def end(self):
        pass
