//! `sslmode` and `sslrootcert`: whether to encrypt, and what to check of the server's certificate.

use std::path::{Path, PathBuf};

use super::settings::invalid;
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

/// What the two options mean together. `root_in_home`: the file that libpq takes when sslrootcert is not given.
pub fn tls_check(
    mode: Option<&str>,
    root: Option<&str>,
    root_in_home: Option<&Path>,
) -> Result<(Mode, Check), String> {
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
            return Err(invalid(
                "sslmode",
                other,
                "disable, allow, prefer, require, verify-ca or verify-full",
            ));
        }
    };
    if system && mode < Mode::VerifyFull {
        return Err("sslrootcert=system needs sslmode=verify-full: anyone can have a certificate that the system trusts".to_owned());
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
            return Err(format!(
                "the root certificate {} does not exist: put it there, or say sslrootcert=FILE or sslrootcert=system",
                file.display()
            ));
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
        assert!(
            tls_check(Some("verify-full"), None, Some(Path::new("/nowhere")))
                .unwrap_err()
                .contains("/nowhere")
        );
        assert_eq!(
            tls_check(None, Some("system"), None).unwrap().1,
            Check::ChainAndName(Roots::System)
        );
        assert!(tls_check(Some("require"), Some("system"), None).is_err());
    }
}
