//! What the files of an instance say about the instance as a whole.

use tg_model::Outcome;

use super::json::Ns;

/// The texts that are kept here are cut to this many bytes.
const LONGEST_TEXT: usize = 4096;

/// What is known of one instance from its own files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) instance: u32,
    pub(crate) successes: u32,
    pub(crate) failure: Option<String>,
    pub(crate) crash: Option<String>,
    pub(crate) first_ts: Option<i64>,
    pub(crate) last_ts: Option<i64>,
    /// It said which peer it is.
    pub(crate) me: Option<String>,
    /// It named a peer as its own end of something.
    pub(crate) mine: Option<String>,
    /// The line that said so.
    pub(crate) me_at: (u32, u32),
    pub(crate) kad: Option<[u8; 32]>,
    pub(crate) role: Option<String>,
    pub(crate) dialable: Option<bool>,
    pub(crate) params: Vec<(String, String)>,
    /// When it told of a phase, by name.
    pub(crate) phases: Vec<(String, i64)>,
    pub(crate) plan: Option<String>,
    pub(crate) case: Option<String>,
    /// Its metrics speak of records that it provided.
    pub(crate) provides: bool,
    /// Its metrics speak of records that it looked for.
    pub(crate) finds: bool,
    /// The operations that its metrics tell of, a bit for each of `operations::MEASURED`.
    pub(crate) measures: u8,
}

impl Facts {
    /// A moment at which it lived.
    pub(crate) fn saw(&mut self, ts: Option<Ns>) {
        if let Some(Ns(ts)) = ts.filter(|ts| ts.0 > 0) {
            self.first_ts = Some(self.first_ts.map_or(ts, |first| first.min(ts)));
            self.last_ts = Some(self.last_ts.map_or(ts, |last| last.max(ts)));
        }
    }

    /// A peer that it named as its own end.
    pub(crate) fn is_probably(&mut self, peer: &str) {
        if self.mine.is_none() {
            self.mine = Some(peer.to_owned());
        }
    }

    /// How it ended as far as files can prove, with the reason.
    pub(crate) fn outcome(&self) -> (Outcome, String) {
        if let Some(text) = &self.crash {
            return (Outcome::Crashed, format!("the plan told of a crash: {text}"));
        }
        if let Some(text) = &self.failure {
            return (Outcome::Failed, format!("the plan told of a failure: {text}"));
        }
        match self.successes {
            0 => (Outcome::Incomplete, "its files do not say how it ended".to_owned()),
            1 => (Outcome::Ok, "the plan told of success".to_owned()),
            n => (Outcome::Ok, format!("the plan told of success {n} times")),
        }
    }
}

/// The text up to a limit, cut at a character.
pub(crate) fn short(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST_TEXT)].to_owned()
}
