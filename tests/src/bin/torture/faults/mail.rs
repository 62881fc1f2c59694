//! A mail server that fails at any step of the conversation.

use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use logwatch_tests::mail_sink::{Action, Step};

use super::{Fault, Scene};
use crate::stage::{SOON, Stage};

/// The steps of a conversation without encryption and login.
const STEPS: [Step; 6] = [
    Step::Greeting,
    Step::Ehlo,
    Step::MailFrom,
    Step::Rcpt,
    Step::Data,
    Step::EndOfData,
];

/// Conversations that a lossy server breaks.
const LOSSES: usize = 6;
/// The longest time that a slow server takes for a step, in milliseconds. It stays below
/// smtp_timeout.
const SLOWEST: u64 = 200;

fn step(random: &mut Rng) -> Step {
    STEPS[random.usize(..STEPS.len())].clone()
}

/// A step whose reply is due within smtp_timeout: at the other two a server may take minutes.
fn prompt_step(random: &mut Rng) -> Step {
    STEPS[random.usize(1..STEPS.len() - 1)].clone()
}

/// The next mails of the round meet the fault, in a conversation of their own.
pub fn prepare(fault: Fault, stage: &Stage, random: &mut Rng) -> Result<()> {
    stage.mail.wait_until_idle(SOON)?;
    if fault == Fault::MailLossy {
        lose_and_delay(stage, random);
        return Ok(());
    }
    let step = step(random);
    let (step, action) = match fault {
        Fault::MailSilent => (prompt_step(random), Action::Stall),
        Fault::MailDeferred if step == Step::Greeting => (step, Action::reply("421 4.3.2 not now")),
        Fault::MailDeferred => (step, Action::reply("451 4.7.1 try later")),
        Fault::MailAnswerLost => (Step::EndOfData, Action::KeepAndClose),
        _ => (step, Action::Close),
    };
    stage.mail.times(random.usize(1..4), step, action);
    Ok(())
}

/// Breaks some conversations, each in another way, and delays every step.
fn lose_and_delay(stage: &Stage, random: &mut Rng) {
    for _ in 0..LOSSES {
        let (step, action) = match random.u8(..4) {
            0 => (step(random), Action::Close),
            1 => (prompt_step(random), Action::Stall),
            2 => (prompt_step(random), Action::reply("451 4.7.1 try later")),
            _ => (Step::EndOfData, Action::KeepAndClose),
        };
        stage.mail.times(1, step, action);
    }
    for step in STEPS {
        let delay = Duration::from_millis(random.u64(SLOWEST / 4..SLOWEST));
        stage.mail.always(step, Action::Delay(delay));
    }
}

/// The next mail comes to a halt somewhere.
pub fn stall_once(stage: &Stage, random: &mut Rng) {
    stage.mail.times(1, prompt_step(random), Action::Stall);
}

/// The mail server works again afterwards.
pub fn look(scene: &mut Scene) -> Result<(String, String)> {
    let seen = look_at_failures(scene)?;
    scene.stage.mail.behave();
    Ok(seen)
}

/// Waits for a failure. A lossy server stays lossy and slow to the end of the round.
pub fn look_at_failures(scene: &mut Scene) -> Result<(String, String)> {
    let said = scene
        .stage
        .wait_for_status("channel", "email", "failing", "last error: ")?;
    let failed = scene.stage.mail.failed() - scene.mails_failed;
    ensure!(failed > 0, "the mail server failed no mail");
    Ok((format!("the mail server failed {failed} times"), said))
}
