//! The harness of the scenarios: a real server, a real mail sink, the real tailer.
