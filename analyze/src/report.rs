//! What an answer is before anyone decides how it looks: titles, columns with units, cells.
//!
//! A [`Report`] holds raw values. Whoever renders it turns `12_345_678` of [`Unit::Nanos`] into `12.3 ms` on a
//! terminal and leaves the number alone in JSON.

/// An answer: a headline, sections of facts and tables, and notes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// A short fixed word for machines: `stats`, `graph`, …
    pub name: String,
    /// The title for people.
    pub title: String,
    /// The answer in one sentence, if there is one.
    pub headline: Option<Line>,
    /// The parts, in the order in which they are read.
    pub sections: Vec<Section>,
    /// What the reader must know before believing the numbers.
    pub notes: Vec<Line>,
}

/// A sentence with a tone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The sentence.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

/// How a word is meant; on a terminal, its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Neither.
    #[default]
    Plain,
    /// Of less weight than what stands around it.
    Dim,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Section {
    /// Named single values.
    Facts(Facts),
    /// Rows and columns.
    Table(Table),
}

impl Section {
    /// Whether it holds nothing that people are shown: every column is for programs.
    pub fn is_for_programs(&self) -> bool {
        match self {
            Self::Facts(_) => false,
            Self::Table(table) => table.columns.iter().all(|column| column.shown == Shown::Never),
        }
    }

    /// The short fixed word for machines.
    pub fn key(&self) -> &str {
        match self {
            Self::Facts(facts) => &facts.key,
            Self::Table(table) => &table.key,
        }
    }
}

/// Named single values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// A short fixed word for machines, unique in the report.
    pub key: String,
    /// The title for people; empty for none.
    pub title: String,
    /// The facts.
    pub facts: Vec<Fact>,
}

/// One named value.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// A short fixed word for machines, with the unit where there is one: `mean_path_hops`.
    pub key: String,
    /// The name for people.
    pub title: String,
    /// The value.
    pub value: Cell,
    /// What qualifies it, such as the projection that it was computed on.
    pub remark: Option<String>,
}

/// Rows and columns. Every row has as many cells as there are columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// A short fixed word for machines, unique in the report.
    pub key: String,
    /// The title for people; empty for none.
    pub title: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// What to say when there are no rows.
    pub empty: String,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// A short fixed word for machines, with the unit where all rows share one: `duration_ns`.
    pub key: String,
    /// The heading for people.
    pub title: String,
    /// When people see it. Machines always do.
    pub shown: Shown,
}

/// When a column is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Always.
    Always,
    /// When some row has something in it other than absent, zero or empty.
    WhenUsed,
    /// Never: it repeats for machines what another column shows.
    Never,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// There is none. This is not zero.
    Absent,
    /// Text.
    Text(String),
    /// A word with a tone.
    Word(String, Tone),
    /// How many.
    Count(u64),
    /// How many of how many.
    Of(u64, u64),
    /// A number with its unit.
    Number(f64, Unit),
    /// A moment: nanoseconds since the epoch.
    Time(i64),
    /// Which way is better.
    Better(Direction),
    /// Yes or no.
    Flag(bool),
}

/// Which way a metric gets better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Lower is better.
    Lower,
    /// Higher is better.
    Higher,
}

impl Direction {
    /// The word for it in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
        }
    }
}

/// The unit of a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// None: a bare number.
    None,
    /// Nanoseconds.
    Nanos,
    /// Microseconds.
    Micros,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Secs,
    /// Bytes.
    Bytes,
    /// A share of 1.
    Ratio,
    /// Any other, in its author's word.
    Other(String),
}

impl Unit {
    /// The unit that a word stands for, as plans write it.
    pub fn parse(word: &str) -> Self {
        match word.trim() {
            "" => Self::None,
            "ns" | "nanos" | "nanoseconds" => Self::Nanos,
            "us" | "µs" | "micros" | "microseconds" => Self::Micros,
            "ms" | "millis" | "milliseconds" => Self::Millis,
            "s" | "sec" | "secs" | "seconds" => Self::Secs,
            "B" | "byte" | "bytes" => Self::Bytes,
            "ratio" => Self::Ratio,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The word for it in files; nothing for a bare number.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Nanos => Some("ns"),
            Self::Micros => Some("us"),
            Self::Millis => Some("ms"),
            Self::Secs => Some("s"),
            Self::Bytes => Some("bytes"),
            Self::Ratio => Some("ratio"),
            Self::Other(word) => Some(word),
        }
    }
}

impl Report {
    /// An empty report.
    pub fn new(name: &str, title: impl Into<String>) -> Self {
        Self { name: name.to_owned(), title: title.into(), ..Self::default() }
    }

    /// Adds a note.
    pub fn note(&mut self, tone: Tone, text: impl Into<String>) {
        self.notes.push(Line { text: text.into(), tone });
    }
}

impl Facts {
    /// A section of facts without any yet.
    pub fn new(key: &str, title: &str) -> Self {
        Self { key: key.to_owned(), title: title.to_owned(), facts: Vec::new() }
    }

    /// Adds a fact.
    pub fn add(&mut self, key: &str, title: &str, value: impl Into<Cell>) {
        self.facts.push(Fact { key: key.to_owned(), title: title.to_owned(), value: value.into(), remark: None });
    }

    /// Adds a fact with what qualifies it.
    pub fn add_with(&mut self, key: &str, title: &str, value: impl Into<Cell>, remark: impl Into<String>) {
        self.facts.push(Fact {
            key: key.to_owned(),
            title: title.to_owned(),
            value: value.into(),
            remark: Some(remark.into()),
        });
    }
}

impl Table {
    /// A table without rows.
    pub fn new(key: &str, title: &str, columns: Vec<Column>) -> Self {
        Self { key: key.to_owned(), title: title.to_owned(), columns, rows: Vec::new(), empty: String::new() }
    }
}

impl Column {
    /// A column that is always shown.
    pub fn new(key: &str, title: &str) -> Self {
        Self { key: key.to_owned(), title: title.to_owned(), shown: Shown::Always }
    }

    /// A column that people see when some row has something in it.
    pub fn when_used(key: &str, title: &str) -> Self {
        Self { shown: Shown::WhenUsed, ..Self::new(key, title) }
    }

    /// A column for machines only.
    pub fn hidden(key: &str) -> Self {
        Self { shown: Shown::Never, ..Self::new(key, key) }
    }
}

impl Cell {
    /// A number without a unit.
    pub fn number(value: f64) -> Self {
        Self::Number(value, Unit::None)
    }

    /// A share of 1.
    pub fn ratio(value: f64) -> Self {
        Self::Number(value, Unit::Ratio)
    }

    /// Nanoseconds.
    pub fn nanos(value: i64) -> Self {
        Self::Number(value as f64, Unit::Nanos)
    }

    /// Bytes.
    pub fn bytes(value: u64) -> Self {
        Self::Number(value as f64, Unit::Bytes)
    }

    /// Whether there is nothing to see: absent, zero, or empty text.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) | Self::Word(text, _) => text.is_empty(),
            Self::Count(n) => *n == 0,
            Self::Number(value, _) => *value == 0.0,
            Self::Of(..) | Self::Time(_) | Self::Better(_) | Self::Flag(_) => false,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Self::Count(n)
    }
}

impl From<u32> for Cell {
    fn from(n: u32) -> Self {
        Self::Count(u64::from(n))
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Self {
        Self::Count(n as u64)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}
