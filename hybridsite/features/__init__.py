"""The features of hybridsite's own: each is a plugin on the public interface."""
