"""What keeps the rooms apart and the packages whole: tests that read the source."""
