"""What docs/contributing.md adds to the house, and the tests that hold once it is in there."""
