//! `logwatch.smtp_oauth_file`: where the access token for the mail server comes from.

use serde::Deserialize;

use super::address::{AddressError, check_webhook_url};
use super::error::SettingError;
use super::secret::{SecretError, secret_file};

/// The setting's name, for errors.
const SETTING: &str = "smtp_oauth_file";

/// The source of an access token (RFC 6749).
#[derive(Clone, PartialEq, Eq)]
pub enum OAuth {
    /// A file with the token, which another program keeps fresh.
    TokenFile(String),
    Refresh(Refresh),
}

/// The request to a token endpoint for a new access token (RFC 6749 §6).
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    pub token_url: String,
    pub client_id: String,
    /// None for a public client.
    pub client_secret: Option<String>,
    pub refresh_token: String,
    pub scope: Option<String>,
}

/// The only key of a file that names another one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    token_file: String,
}

/// Why the file cannot be used. No text shows a value of it.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    #[error("line {0}: {1}")]
    Toml(usize, String),
    #[error("token_url: {0}")]
    Url(#[from] AddressError),
}

/// Reads the file.
pub fn oauth(file: &str) -> Result<OAuth, SettingError> {
    parse(&secret_file(SETTING, file)?).map_err(|why| SettingError::OAuth(file.to_owned(), why))
}

fn parse(text: &str) -> Result<OAuth, OAuthError> {
    if let Ok(TokenFile { token_file }) = toml::from_str(text) {
        return Ok(OAuth::TokenFile(token_file));
    }
    let refresh: Refresh = toml::from_str(text).map_err(|why| {
        let before = why.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        OAuthError::Toml(line, why.message().to_owned())
    })?;
    check_webhook_url(&refresh.token_url, false)?;
    Ok(OAuth::Refresh(refresh))
}

/// Reads a token that another program has written. Called by a sender thread.
pub fn token_of_file(file: &str) -> Result<String, SecretError> {
    super::secret::read(file).map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_an_endpoint_or_a_file_with_a_token() {
        let refresh = "token_url = 'https://oauth2.googleapis.com/token'\nclient_id = 'a'\n\
                       client_secret = 'b'\nrefresh_token = 'secret-c'\n";
        assert!(matches!(parse(refresh), Ok(OAuth::Refresh(one)) if one.refresh_token == "secret-c"));
        assert!(
            matches!(parse("token_file = '/run/token'"), Ok(OAuth::TokenFile(file)) if file == "/run/token")
        );
        let plain = refresh.replace("https://", "http://");
        assert!(matches!(
            parse(&plain),
            Err(OAuthError::Url(AddressError::NotHttps))
        ));
        for (bad, line) in [
            ("client_id = 'secret-a'\ntoken = 1\n", "line 2"),
            ("client_id = \n", "line 1"),
        ] {
            let Err(why) = parse(bad) else {
                panic!("{bad} is taken");
            };
            let why = why.to_string();
            assert!(why.contains(line) && !why.contains("secret-"), "{why}");
        }
    }
}
