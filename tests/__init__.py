"""The tests of hybridsite: units beside their rooms, and e2e/ from outside."""
