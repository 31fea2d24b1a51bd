"""How sessions are written down."""

import pickle


class PickleSerializer:
    """Sessions as pickles: masquerading keeps course keys and objects of its own in them, which JSON cannot hold."""

    def dumps(self, obj):
        """Return the bytes of a session."""
        return pickle.dumps(obj, protocol=4)

    def loads(self, data):
        """Return the session in these bytes."""
        return pickle.loads(data)
