//! `sslmode` and `sslrootcert`: whether to encrypt, and what to check of the server's certificate.

use std::path::{Path, PathBuf};

use super::invalid::Invalid;
use super::tls::{Check, Roots};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Returns what the two options mean together. `root_in_home` is the file that libpq takes when
/// sslrootcert is not given.
pub fn tls_check(
    mode: Option<&str>,
    root: Option<&str>,
    root_in_home: Option<&Path>,
) -> Result<(Mode, Check), Invalid> {
    let system = root == Some("system");
    let mode = match mode {
        None if system => Mode::VerifyFull,
        None | Some("prefer") => Mode::Prefer,
        Some("disable") => Mode::Disable,
        Some("allow") => Mode::Allow,
        Some("require") => Mode::Require,
        Some("verify-ca") => Mode::VerifyCa,
        Some("verify-full") => Mode::VerifyFull,
        Some(other) => {
            return Err(Invalid::Value {
                option: "sslmode".to_owned(),
                value: other.to_owned(),
                allowed: "disable, allow, prefer, require, verify-ca or verify-full",
            });
        }
    };
    if system && mode < Mode::VerifyFull {
        return Err(Invalid::SystemNeedsName);
    }
    let roots = if system {
        Some(Roots::System)
    } else {
        root.map(PathBuf::from)
            .or_else(|| root_in_home.map(Path::to_path_buf))
            .filter(|file| file.exists())
            .map(Roots::File)
    };
    let check = match (mode, roots) {
        (Mode::VerifyFull, Some(roots)) => Check::ChainAndName(roots),
        (Mode::VerifyCa | Mode::Require, Some(roots)) => Check::Chain(roots),
        (Mode::VerifyCa | Mode::VerifyFull, None) => {
            let file = root
                .map(PathBuf::from)
                .or_else(|| root_in_home.map(Path::to_path_buf))
                .unwrap_or_default();
            return Err(Invalid::RootMissing(file));
        }
        _ => Check::Nothing,
    };
    Ok((mode, check))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_modes_need_a_root_certificate() {
        let root = tempfile::NamedTempFile::new().unwrap();
        let path = root.path();
        let with = |mode| tls_check(Some(mode), path.to_str(), None).unwrap().1;
        assert_eq!(with("verify-ca"), Check::Chain(Roots::File(path.into())));
        assert_eq!(with("verify-full"), Check::ChainAndName(Roots::File(path.into())));
        assert_eq!(with("require"), Check::Chain(Roots::File(path.into())));
        assert_eq!(with("prefer"), Check::Nothing);
        assert!(matches!(
            tls_check(Some("verify-full"), None, Some(Path::new("/nowhere"))),
            Err(Invalid::RootMissing(file)) if file == Path::new("/nowhere")
        ));
        assert_eq!(
            tls_check(None, Some("system"), None).unwrap().1,
            Check::ChainAndName(Roots::System)
        );
        assert!(matches!(
            tls_check(Some("require"), Some("system"), None),
            Err(Invalid::SystemNeedsName)
        ));
    }
}
