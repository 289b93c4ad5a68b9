//! Passwords of people: argon2id, on a thread where it holds up nobody, few at a time. A name that is not there costs the same time.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::problem::Problem;
use crate::control::Control;

/// The shortest password, in letters.
const CHARS_MIN: usize = 12;
/// The longest, in bytes.
const BYTES_MAX: usize = 1_024;
/// What a password is compared with when there is nothing to compare with: made with the same parameters, of a password nobody has.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlz$rPqSvDfHPrGmbd9Gd7GCbS2Xk6aFyHn4yNn0S3pGrGk";

/// How the hash of a password begins that costs what ours cost.
const USUAL_COST: &str = "$argon2id$v=19$m=19456,t=2,p=1$";

/// Whether a password is long enough to be one.
pub(crate) fn check(password: &str) -> Result<(), Problem> {
    if password.chars().count() < CHARS_MIN {
        return Err(Problem::flaw("password", "is shorter than 12 characters", "choose a longer one"));
    }
    if BYTES_MAX < password.len() {
        return Err(Problem::flaw("password", "is longer than 1024 bytes", "choose a shorter one"));
    }
    Ok(())
}

/// The argon2id string of a password.
pub(crate) async fn hash(control: &Control, password: String) -> Option<String> {
    let _turn = control.state.hashing.acquire().await.ok()?;
    let hashed = tokio::task::spawn_blocking(move || Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string()));
    hashed.await.ok()?.ok()
}

/// The argon2id string of a password that is itself 256 random bits: nobody guesses it, so it need not cost time and 19 MiB at each start.
pub(crate) fn hash_random(password: &str) -> Option<String> {
    let params = Params::new(Params::MIN_M_COST, Params::MIN_T_COST, Params::MIN_P_COST, None).ok()?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password(password.as_bytes()).map(|hash| hash.to_string()).ok()
}

/// Whether it is the password of one of these hashes. As much work for no hash as for one.
pub(crate) async fn verify(control: &Control, password: String, hash: Option<String>) -> bool {
    if BYTES_MAX < password.len() {
        return false;
    }
    let Ok(_turn) = control.state.hashing.acquire().await else {
        return false;
    };
    let known = hash.is_some();
    let verified = tokio::task::spawn_blocking(move || {
        let hash = hash.as_deref().unwrap_or(NOBODYS);
        let Ok(parsed) = PasswordHash::new(hash) else { return false };
        let right = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
        if !hash.starts_with(USUAL_COST) {
            // The cheap hash of a one-time password: the time must not tell that there is one.
            let nobodys = PasswordHash::new(NOBODYS);
            let _ = nobodys.map(|nobodys| Argon2::default().verify_password(password.as_bytes(), &nobodys));
        }
        right
    });
    verified.await.unwrap_or(false) && known
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_hash_of_a_random_password_is_cheap_and_verifies() {
        let hash = hash_random("a-random-password").unwrap();
        assert!(!hash.starts_with(USUAL_COST) && NOBODYS.starts_with(USUAL_COST));
        let parsed = PasswordHash::new(&hash).unwrap();
        assert!(Argon2::default().verify_password(b"a-random-password", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"another", &parsed).is_err());
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let real = Argon2::default().hash_password(b"correct horse battery").unwrap();
        assert_eq!((&nobodys.algorithm, nobodys.version), (&real.algorithm, real.version));
        assert_eq!(nobodys.params.to_string(), real.params.to_string());
    }
}
