//! The line that describes a rule's state in the status, in a check's rows and at the top of a
//! mail.

use std::fmt::Write;

use super::clean::clean;
use super::words::duration;

/// The state of a rule, or of one of its groups.
pub struct RuleLine<'a> {
    pub kind: &'a str,
    pub state: &'a str,
    pub rule: &'a str,
    /// "source db01", "pattern 1f…", or empty.
    pub group: &'a str,
    pub level: &'a str,
    pub count: i64,
    pub threshold: i64,
    /// Seconds.
    pub within: i64,
    /// The match of a rule that expects a line.
    pub expects: Option<&'a str>,
}

impl RuleLine<'_> {
    /// Returns the line, with whether the threshold is met.
    pub fn sentence(&self) -> String {
        match self.met() {
            Some(met) => format!("{}, {met}", self.headline()),
            None => self.headline(),
        }
    }

    /// Returns whether the threshold is met, in words; None for a kind that has none.
    pub fn met(&self) -> Option<&'static str> {
        match self.state {
            _ if self.kind == "absence" => None,
            "ok" | "disabled" => Some("threshold not met"),
            "unchecked" => Some("threshold met, not checked yet"),
            "firing" | "pending" | "silenced" if self.count >= self.threshold => Some("threshold met"),
            "resolved" => Some("no longer met"),
            _ => Some("threshold was met just now"),
        }
    }

    /// Returns the line without whether the threshold is met.
    pub fn headline(&self) -> String {
        let mut line = format!("{} is {}", clean(self.rule), self.state);
        if !self.group.is_empty() {
            let _ = write!(line, " for {}", clean(self.group));
        }
        if let Some(expects) = self.expects {
            let expects = clean(expects);
            let state = match self.state {
                "ok" | "disabled" => format!(": no line that matches \"{expects}\" is missing"),
                "resolved" => format!(": a line that matches \"{expects}\" has come"),
                _ => format!(": no line that matches \"{expects}\" has come in time"),
            };
            return line + &state;
        }
        let within = duration(self.within);
        if self.kind == "absence" {
            let state = match self.state {
                "ok" | "disabled" => format!(": no source has been silent for {within}"),
                "resolved" => format!(": it reports again after more than {within}"),
                _ => format!(": no heartbeat and no record for {within} or more"),
            };
            return line + &state;
        }
        let what = match self.kind {
            "new_pattern" => " of a pattern never seen before, at",
            "spike" => ", compared with the days before, of",
            _ => " of",
        };
        let _ = write!(
            line,
            ": {}{} record{}{what} {}{} in {within}, threshold {}",
            if self.state == "resolved" { "at most " } else { "" },
            self.count,
            if self.count == 1 { "" } else { "s" },
            self.level,
            if self.level == "FATAL" { "" } else { " or above" },
            self.threshold,
        );
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_state_the_count_and_the_threshold() {
        let line = |state, rule, level, count, threshold, within| {
            RuleLine {
                kind: "threshold",
                state,
                rule,
                group: "",
                level,
                count,
                threshold,
                within,
                expects: None,
            }
            .sentence()
        };
        assert_eq!(
            line("firing", "error", "ERROR", 7, 5, 300),
            "error is firing: 7 records of ERROR or above in 5 minutes, threshold 5, threshold met"
        );
        assert_eq!(
            line("ok", "fatal", "FATAL", 0, 1, 90),
            "fatal is ok: 0 records of FATAL in 1 minute 30 seconds, threshold 1, threshold not met"
        );
        assert_eq!(
            line("unchecked", "fatal", "FATAL", 1, 1, 300),
            "fatal is unchecked: 1 record of FATAL in 5 minutes, threshold 1, threshold met, not checked yet"
        );
    }
}
