//! Python's `email` as an oracle, conformance of threads, the same mail in two forms, hostile mail.
