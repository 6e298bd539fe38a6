//! What only Unix-like systems have.
