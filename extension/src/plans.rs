//! Plans of the statements that the worker runs in each tick.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient};

/// Returns the statement's plan, which is made once in a session and kept.
pub fn plan(client: &SpiClient, query: &'static str) -> spi::Result<&'static OwnedPreparedStatement> {
    thread_local! {
        static PLANS: RefCell<HashMap<&'static str, &'static OwnedPreparedStatement>> = RefCell::default();
    }
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(query).copied()) {
        return Ok(plan);
    }
    let plan: &'static OwnedPreparedStatement = Box::leak(Box::new(client.prepare(query, &[])?.keep()));
    PLANS.with_borrow_mut(|plans| plans.insert(query, plan));
    Ok(plan)
}
