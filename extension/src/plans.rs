//! Plans of the statements that the worker runs in each tick.

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiClient};

/// Returns the plan of a statement without parameters, which is made once in a session and kept.
pub fn plan(client: &SpiClient, query: &'static str) -> spi::Result<&'static OwnedPreparedStatement> {
    plan_with(client, query, &[])
}

/// Returns the plan of a statement with parameters of these types.
pub fn plan_with(
    client: &SpiClient,
    query: &'static str,
    types: &[PgBuiltInOids],
) -> spi::Result<&'static OwnedPreparedStatement> {
    thread_local! {
        static PLANS: RefCell<HashMap<&'static str, &'static OwnedPreparedStatement>> = RefCell::default();
    }
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(query).copied()) {
        return Ok(plan);
    }
    let types: Vec<PgOid> = types.iter().map(|one| one.oid()).collect();
    let plan: &'static OwnedPreparedStatement = Box::leak(Box::new(client.prepare(query, &types)?.keep()));
    PLANS.with_borrow_mut(|plans| plans.insert(query, plan));
    Ok(plan)
}
