//! The rules of admission, one by one.
