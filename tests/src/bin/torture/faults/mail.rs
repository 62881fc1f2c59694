//! A mail server that fails at any step of the conversation.

use anyhow::{Result, ensure};
use fastrand::Rng;
use logwatch_tests::mail_sink::{Action, Step};

use super::{Fault, Scene};
use crate::stage::Stage;

/// The steps of a conversation without encryption and login.
const STEPS: [Step; 6] = [
    Step::Greeting,
    Step::Ehlo,
    Step::MailFrom,
    Step::Rcpt,
    Step::Data,
    Step::EndOfData,
];

fn step(random: &mut Rng) -> Step {
    STEPS[random.usize(..STEPS.len())].clone()
}

/// A step whose reply is due within smtp_timeout: at the other two a server may take minutes.
fn prompt_step(random: &mut Rng) -> Step {
    STEPS[random.usize(1..STEPS.len() - 1)].clone()
}

/// The next mails of the round meet the fault.
pub fn prepare(fault: Fault, stage: &Stage, random: &mut Rng) {
    let step = step(random);
    let (step, action) = match fault {
        Fault::MailSilent => (prompt_step(random), Action::Stall),
        Fault::MailDeferred if step == Step::Greeting => (step, Action::reply("421 4.3.2 not now")),
        Fault::MailDeferred => (step, Action::reply("451 4.7.1 try later")),
        Fault::MailAnswerLost => (Step::EndOfData, Action::KeepAndClose),
        _ => (step, Action::Close),
    };
    stage.mail.times(random.usize(1..4), step, action);
}

/// The next mail comes to a halt somewhere.
pub fn stall_once(stage: &Stage, random: &mut Rng) {
    stage.mail.times(1, prompt_step(random), Action::Stall);
}

pub fn look(scene: &mut Scene) -> Result<(String, String)> {
    let said = scene
        .stage
        .wait_for_status("channel", "email", "failing", "last error: ")?;
    let followed = scene.stage.mail.followed() - scene.mails_failed;
    ensure!(followed > 0, "the mail server failed no mail");
    scene.stage.mail.behave();
    Ok((format!("the mail server failed {followed} times"), said))
}
