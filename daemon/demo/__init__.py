"""The demo: a server, a store and a daemon of its own, and a tour of an edit travelling both ways."""
