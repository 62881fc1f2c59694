//! Files before anybody knows what is in them: which there are, their bytes, their identity, and
//! what wakes the loop.

pub mod bytes;
mod compression;
pub(crate) mod directory;
pub mod identity;
pub mod inputs;
pub(crate) mod journal;
pub mod names;
pub(crate) mod stream;
pub mod utf16;
pub(crate) mod wake;
