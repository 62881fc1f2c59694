//! The harness of the scenarios, the demo and the bench: a real PostgreSQL server, a real mail
//! conversation, the real tailer. Everything runs on 127.0.0.1 or Unix sockets, in temporary
//! directories, and is gone when its object is dropped.
//!
//! It uses what `make build` has built and installed into the private PostgreSQL tree (see
//! `private_postgres.sh`), so after a change of the extension say `make build` before `cargo test
//! -p logwatch-tests`; `make test` does both.

pub mod browser;
pub mod certificate;
pub mod disk;
pub mod fleet;
pub mod http;
pub mod journal;
pub mod link;
pub mod mail_sink;
pub mod manuals;
pub mod pooler;
pub mod process;
pub mod programs;
pub mod rotators;
pub mod server;
pub mod systemd_journal;
pub mod tailer;
pub mod valgrind;
pub mod wait;
pub mod web_sink;
