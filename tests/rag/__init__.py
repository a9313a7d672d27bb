"""Tests of the rag package; a package itself, so that its fakes can be imported by name."""
