//! A limit on what a webhook's server can make us read: its whole reply, headers included.
//!
//! ureq has limits of its own; this one holds whatever ureq does.

use std::io;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Longest reply that is read.
pub const MAX_REPLY: usize = 64 * 1024;

/// Wraps the connections that the connector before it in the chain has made.
#[derive(Debug)]
pub struct ReplyLimit;

impl<In: Transport> Connector<In> for ReplyLimit {
    type Out = Limited<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(|inner| Limited { inner, read: 0 }))
    }
}

/// A connection that reads no more than `MAX_REPLY` bytes for one request.
#[derive(Debug)]
pub struct Limited<In> {
    inner: In,
    read: usize,
}

impl<In: Transport> Transport for Limited<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.read = 0;
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.inner.buffers().input().len();
        let more = self.inner.await_input(timeout)?;
        let after = self.inner.buffers().input().len();
        self.read += after.saturating_sub(before);
        if self.read > MAX_REPLY {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is longer than 64 KiB").into());
        }
        Ok(more)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
