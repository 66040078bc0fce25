//! What an object store answers instead of what was asked for.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why a request was not answered as hoped.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Trouble {
    /// There is no such object.
    #[error("it is not there{0}")]
    NotThere(String),
    /// It is another one than was listed.
    #[error("it is not what was listed")]
    Changed,
    /// The store does not let us.
    #[error("access is denied{0}")]
    Denied(String),
    /// The usual chain has no credentials for us.
    #[error("there are no credentials to ask with: {0}")]
    NoCredentials(String),
    /// The store cannot now, or was not reached.
    #[error("{0}")]
    Passing(String),
    /// The store did it, and says so in words that we cannot read.
    #[error("{0}")]
    Unclear(String),
    /// Anything else.
    #[error("{0}")]
    Refused(String),
}

impl Trouble {
    /// Whether it may go well the next time.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Passing(_))
    }

    /// What is wrong with one object, and not with the store.
    pub(crate) fn is_of_one(&self) -> bool {
        matches!(self, Self::NotThere(_) | Self::Changed)
    }

    pub(crate) fn body(error: &dyn std::error::Error) -> Self {
        Self::Passing(format!("the answer broke off: {}", crate::collect::words(error)))
    }
}

/// The words of the SDK where its chain of credentials ends without any; it has no type for that.
const NO_CREDENTIALS: &str = "an error occurred while loading credentials";

impl<E: ProvideErrorMetadata + std::error::Error + 'static> From<SdkError<E, HttpResponse>> for Trouble {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let of_service = |error: &SdkError<E, HttpResponse>| {
            let words = match error {
                SdkError::ServiceError(answer) => [answer.err().code(), answer.err().message()],
                _ => [None, None],
            };
            let words: Vec<&str> = words.into_iter().flatten().collect();
            if words.is_empty() { String::new() } else { format!(": {}", words.join(": ")) }
        };
        match &error {
            SdkError::ServiceError(answer) => {
                let words = of_service(&error);
                let status = answer.raw().status().as_u16();
                match (status, answer.err().code()) {
                    (404, _) => Self::NotThere(words),
                    (412, _) => Self::Changed,
                    (401 | 403, code) if code != Some("RequestTimeTooSkewed") => Self::Denied(words),
                    // Work that takes long is answered 200 before it is known how it ends.
                    (429 | 500 | 502 | 503 | 504, _)
                    | (_, Some("InternalError" | "RequestTimeout" | "ServiceUnavailable" | "SlowDown")) => {
                        Self::Passing(format!("the store answered {status}{words}"))
                    }
                    (200..=299, None) => Self::Unclear(format!("the store answered {status}, and we cannot read how")),
                    _ => Self::Refused(format!("the store answered {status}{words}")),
                }
            }
            SdkError::DispatchFailure(_) if inner(&error).contains(NO_CREDENTIALS) => {
                let text = inner(&error);
                let why = text.split_once(NO_CREDENTIALS).map_or("", |(_, why)| why);
                Self::NoCredentials(why.trim_start_matches([':', ' ']).to_owned())
            }
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => Self::Passing(inner(&error)),
            SdkError::DispatchFailure(failure) => {
                let passing = failure.is_io()
                    || failure.is_timeout()
                    || failure.as_connector_error().is_some_and(|error| error.as_other().is_some());
                if passing { Self::Passing(inner(&error)) } else { Self::Refused(inner(&error)) }
            }
            _ => Self::Refused(inner(&error)),
        }
    }
}

/// The chain of an error of the SDK, without its outermost words, which only name the kind.
fn inner<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let text = match std::error::Error::source(error) {
        Some(source) => crate::collect::words(source),
        None => DisplayErrorContext(error).to_string(),
    };
    text.trim_start_matches("io error: ").to_owned()
}
