//! Access tokens for the mail server: fetched by the sender thread, kept in memory while they are
//! valid, never part of an error.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::http_agent::{explain, http_agent};
use crate::settings::{OAuth, Refresh, SecretError, token_of_file};

/// A token is renewed this long before it expires.
const MARGIN: Duration = Duration::from_secs(60);
/// Validity of a token whose endpoint names none.
const DEFAULT_LIFE: u64 = 300;
/// Characters of an endpoint's explanation that an error shows.
const MAX_EXPLANATION: usize = 200;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the token file: {0}")]
    File(#[from] SecretError),
    #[error("token_url: {0}")]
    Unreached(String),
    #[error(
        "token_url refused the refresh token: it was revoked or has expired; get a new one and put it into \
         logwatch.smtp_oauth_file ({0})"
    )]
    Revoked(String),
    #[error("token_url refused the request; see logwatch.smtp_oauth_file ({0})")]
    Refused(String),
    #[error("token_url replied {0} without a token")]
    NoToken(u16),
}

/// The token that is in use.
struct Kept {
    source: OAuth,
    token: String,
    until: Instant,
}

/// The tokens of a channel, which its threads share.
#[derive(Clone, Default)]
pub struct TokenSource(Arc<Mutex<Option<Kept>>>);

/// A reply of a token endpoint (RFC 6749 §5).
#[derive(Deserialize)]
struct Reply {
    access_token: Option<String>,
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

impl TokenSource {
    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a token, and whether it was fetched earlier: then the server may know better that it
    /// is not valid any more.
    pub fn token(&self, source: &OAuth, timeout: Duration) -> Result<(String, bool), TokenError> {
        let refresh = match source {
            OAuth::TokenFile(file) => return Ok((token_of_file(file)?, false)),
            OAuth::Refresh(refresh) => refresh,
        };
        if let Some(kept) = &*self.kept()
            && kept.source == *source
            && Instant::now() < kept.until
        {
            return Ok((kept.token.clone(), true));
        }
        let (token, life) = fetch(refresh, timeout)?;
        *self.kept() = Some(Kept {
            source: source.clone(),
            token: token.clone(),
            until: Instant::now() + life.saturating_sub(MARGIN),
        });
        Ok((token, false))
    }

    /// Forgets a token that the server has refused.
    pub fn forget(&self) {
        *self.kept() = None;
    }
}

/// Asks the endpoint for a token; returns it with its life.
fn fetch(refresh: &Refresh, timeout: Duration) -> Result<(String, Duration), TokenError> {
    let agent = http_agent(&refresh.token_url, None, timeout).map_err(TokenError::Unreached)?;
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh.refresh_token),
        ("client_id", &refresh.client_id),
    ];
    let optional = [
        ("client_secret", &refresh.client_secret),
        ("scope", &refresh.scope),
    ];
    form.extend(
        optional
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?))),
    );
    let mut response = agent
        .post(&refresh.token_url)
        .header("Accept", "application/json")
        .send_form(form)
        .map_err(|why| TokenError::Unreached(explain(&why, timeout)))?;
    let code = response.status().as_u16();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    token_of(code, &text)
}

/// Reads the reply of a token endpoint.
fn token_of(code: u16, text: &str) -> Result<(String, Duration), TokenError> {
    let Ok(reply) = serde_json::from_str::<Reply>(text) else {
        return Err(TokenError::NoToken(code));
    };
    match reply {
        Reply {
            access_token: Some(token),
            expires_in,
            ..
        } if code == 200 => Ok((token, Duration::from_secs(expires_in.unwrap_or(DEFAULT_LIFE)))),
        Reply {
            error: Some(error),
            error_description,
            ..
        } => {
            let words = format!("{error}: {}", error_description.unwrap_or_default());
            let words: String = words
                .trim_end_matches([':', ' '])
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(MAX_EXPLANATION)
                .collect();
            Err(if error == "invalid_grant" {
                TokenError::Revoked(words)
            } else {
                TokenError::Refused(words)
            })
        }
        _ => Err(TokenError::NoToken(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_of_an_endpoint_is_a_token_or_a_reason() {
        let token = token_of(
            200,
            r#"{"access_token":"t","expires_in":3600,"token_type":"Bearer"}"#,
        );
        assert_eq!(token.unwrap(), ("t".to_owned(), Duration::from_secs(3600)));
        for (code, text, part) in [
            (
                400,
                r#"{"error":"invalid_grant","error_description":"Token has been revoked."}"#,
                "was revoked or has expired; get a new one",
            ),
            (
                401,
                r#"{"error":"invalid_client"}"#,
                "see logwatch.smtp_oauth_file (invalid_client)",
            ),
            (502, "<html>", "replied 502 without a token"),
            (200, "{}", "replied 200 without a token"),
        ] {
            let why = token_of(code, text).unwrap_err().to_string();
            assert!(why.contains(part), "{why}");
        }
    }
}
