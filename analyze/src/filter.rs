//! Conditions on rows: `op = find_peer and duration_ns > 2s and not status in [done, fail]`.

mod near;
mod plan;

use std::collections::BTreeSet;
use std::fmt;

use self::near::meant;
pub(crate) use self::near::names;
use crate::glob;

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// There is none. It equals nothing, and is neither less nor more than anything.
    Absent,
    /// A number, in the unit of its column.
    Number(f64),
    /// A text.
    Text(&'a str),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Numbers.
    Number,
    /// Texts.
    Text,
    /// Texts that somebody chose and that may be numbers, with or without a unit: parameters and tags.
    ///
    /// Where both sides are numbers they are compared as such, so that `20`, `20.0` and `1s`, `1000ms` are equal. A
    /// value that is none is neither less nor more than a number.
    Written,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    root: Node,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(usize, Relation, Literal),
    In(usize, Vec<Literal>),
    IsNull(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Like,
}

/// In the order in which they are tried: the longer first.
const RELATIONS: [(&str, Relation); 8] = [
    ("==", Relation::Equal),
    ("!=", Relation::Unequal),
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("=", Relation::Equal),
    ("<", Relation::Less),
    (">", Relation::Greater),
    ("~", Relation::Like),
];

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Number(f64),
    Text(String),
    /// A text, and the number that it also is.
    Both(String, f64),
}

/// Units of numbers: times are in nanoseconds, sizes in bytes, shares of 1.
const UNITS: [(&str, f64); 12] = [
    ("", 1.0),
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("B", 1.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("%", 0.01),
];

/// Why a text is no condition, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// The text.
    pub text: String,
    /// Where it goes wrong, in characters.
    pub at: usize,
    /// What is wrong there.
    pub why: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no condition: {}", self.text, self.why)
    }
}

impl std::error::Error for FilterError {}

impl Filter {
    /// Reads a condition on these columns.
    ///
    /// ```
    /// use tg_analyze::filter::{Filter, Kind, Value};
    /// let columns = [("op", Kind::Text), ("duration_ns", Kind::Number)];
    /// let slow = Filter::parse("op ~ find* and duration_ns > 1.5s", &columns).unwrap();
    /// assert!(slow.takes(&[Value::Text("find_peer"), Value::Number(2e9)]));
    /// assert!(!slow.takes(&[Value::Text("find_peer"), Value::Absent]));
    /// assert_eq!(Filter::parse("opp = 1", &columns).unwrap_err().at, 0);
    /// ```
    pub fn parse(text: &str, columns: &[(&str, Kind)]) -> Result<Self, FilterError> {
        let mut reader = Reader { text, at: 0, columns, depth: 0 };
        let root = reader.either()?;
        reader.blanks();
        if reader.at < text.len() {
            return Err(reader.wrong(reader.at, "`and`, `or` or the end must stand here"));
        }
        Ok(Self { root })
    }

    /// Whether a row, with its values in the order of the columns, is meant.
    pub fn takes(&self, row: &[Value<'_>]) -> bool {
        self.root.takes(row)
    }

    /// The columns that it names, by their place among those given.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.root.columns(&mut found);
        found
    }
}

impl Node {
    fn columns(&self, found: &mut BTreeSet<usize>) {
        match self {
            Self::And(a, b) | Self::Or(a, b) => {
                a.columns(found);
                b.columns(found);
            }
            Self::Not(a) => a.columns(found),
            Self::Compare(at, ..) | Self::In(at, _) | Self::IsNull(at) => {
                found.insert(*at);
            }
        }
    }

    fn takes(&self, row: &[Value<'_>]) -> bool {
        match self {
            Self::And(a, b) => a.takes(row) && b.takes(row),
            Self::Or(a, b) => a.takes(row) || b.takes(row),
            Self::Not(a) => !a.takes(row),
            Self::IsNull(at) => row[*at] == Value::Absent,
            Self::In(at, list) => list.iter().any(|one| holds(row[*at], Relation::Equal, one)),
            Self::Compare(at, relation, literal) => holds(row[*at], *relation, literal),
        }
    }
}

fn holds(value: Value<'_>, relation: Relation, literal: &Literal) -> bool {
    let order = match (value, literal) {
        (Value::Number(value), Literal::Number(literal)) => value.partial_cmp(literal),
        (Value::Text(value), Literal::Text(literal) | Literal::Both(literal, _)) if relation == Relation::Like => {
            return glob::matches(literal, value);
        }
        (Value::Text(value), Literal::Text(literal)) => Some(value.cmp(literal.as_str())),
        (Value::Text(value), Literal::Both(text, literal)) => match number(value) {
            Some(value) => value.partial_cmp(literal),
            // Words have no place among numbers; that they differ can be said all the same.
            None if matches!(relation, Relation::Equal | Relation::Unequal) => Some(value.cmp(text.as_str())),
            None => None,
        },
        _ => None,
    };
    order.is_some_and(|order| match relation {
        Relation::Equal => order.is_eq(),
        Relation::Unequal => order.is_ne(),
        Relation::Less => order.is_lt(),
        Relation::AtMost => order.is_le(),
        Relation::Greater => order.is_gt(),
        Relation::AtLeast => order.is_ge(),
        Relation::Like => false,
    })
}

/// Parentheses and `not` may lie so deep in one another.
const DEEPEST: u32 = 64;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    columns: &'a [(&'a str, Kind)],
    depth: u32,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn wrong(&self, at: usize, why: impl Into<String>) -> FilterError {
        FilterError { text: self.text.to_owned(), at: self.text[..at].chars().count(), why: why.into() }
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// A word of the language, and not the begin of a longer one.
    fn keyword(&mut self, word: &str) -> bool {
        self.blanks();
        let found = self.peek() == word;
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn peek(&self) -> &'a str {
        let rest = self.rest().trim_start();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))).unwrap_or(rest.len());
        &rest[..end]
    }

    /// The name of a column; one with other signs than letters, digits, `_`, `.` and `-` stands between backticks.
    fn name(&mut self) -> Result<&'a str, FilterError> {
        self.blanks();
        let (begin, rest) = (self.at, self.rest());
        let (name, length) = match rest.strip_prefix('`') {
            Some(inner) => match inner.find('`') {
                Some(end) => (&inner[..end], end + 2),
                None => return Err(self.wrong(begin, "the name does not end: a second ` is missing")),
            },
            None => (self.peek(), self.peek().len()),
        };
        self.at += length;
        if name.is_empty() { Err(self.wrong(begin, "the name of a column must stand here")) } else { Ok(name) }
    }

    fn either(&mut self) -> Result<Node, FilterError> {
        let mut node = self.both()?;
        while self.keyword("or") {
            node = Node::Or(Box::new(node), Box::new(self.both()?));
        }
        Ok(node)
    }

    fn both(&mut self) -> Result<Node, FilterError> {
        let mut node = self.one()?;
        while self.keyword("and") {
            node = Node::And(Box::new(node), Box::new(self.one()?));
        }
        Ok(node)
    }

    fn one(&mut self) -> Result<Node, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(self.at, format!("it lies more than {DEEPEST} deep")));
        }
        let node = if self.keyword("not") {
            Node::Not(Box::new(self.one()?))
        } else if self.eat("(") {
            let node = self.either()?;
            if !self.eat(")") {
                return Err(self.wrong(self.at, "a `)` is missing"));
            }
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node, FilterError> {
        self.blanks();
        let begin = self.at;
        let name = self.name()?;
        let Some(column) = self.columns.iter().position(|(known, _)| *known == name) else {
            return Err(self.wrong(begin, meant(name, self.columns)));
        };
        if self.keyword("is") {
            let not = self.keyword("not");
            if !self.keyword("null") {
                return Err(self.wrong(self.at, "`null` must stand here"));
            }
            let node = Node::IsNull(column);
            return Ok(if not { Node::Not(Box::new(node)) } else { node });
        }
        if self.keyword("in") {
            if !self.eat("[") {
                return Err(self.wrong(self.at, "a list must stand here: `in [done, fail]`"));
            }
            let mut list = vec![self.literal(column)?];
            while self.eat(",") {
                list.push(self.literal(column)?);
            }
            if !self.eat("]") {
                return Err(self.wrong(self.at, "a `]` is missing"));
            }
            return Ok(Node::In(column, list));
        }
        self.blanks();
        let at = self.at;
        let Some(&(_, relation)) = RELATIONS.iter().find(|(word, _)| self.eat(word)) else {
            return Err(self.wrong(at, "one of = != < <= > >= ~ or `in`, `is null` must stand here"));
        };
        if relation == Relation::Like && self.columns[column].1 == Kind::Number {
            return Err(self.wrong(at, format!("`~` is for texts, and `{name}` holds numbers")));
        }
        Ok(Node::Compare(column, relation, self.literal(column)?))
    }

    fn literal(&mut self, column: usize) -> Result<Literal, FilterError> {
        self.blanks();
        let (begin, rest) = (self.at, self.rest());
        let (name, kind) = self.columns[column];
        let quoted = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let word = if let Some(quote) = quoted {
            let Some(end) = rest[1..].find(quote) else {
                return Err(self.wrong(begin, "the text does not end"));
            };
            self.at += end + 2;
            &rest[1..=end]
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ')' | ']')).unwrap_or(rest.len());
            self.at += end;
            &rest[..end]
        };
        if word.is_empty() && quoted.is_none() {
            return Err(self.wrong(begin, "a value must stand here"));
        }
        match kind {
            Kind::Text => Ok(Literal::Text(word.to_owned())),
            Kind::Written => Ok(match number(word).filter(|_| quoted.is_none()) {
                Some(number) => Literal::Both(word.to_owned(), number),
                None => Literal::Text(word.to_owned()),
            }),
            Kind::Number => number(word).map(Literal::Number).ok_or_else(|| {
                self.wrong(begin, format!("`{name}` holds numbers: write 20, 1.5s, 300ms, 4KiB or 95%"))
            }),
        }
    }
}

/// The number that a word is, if it is one: `20`, `1.5s`, `300ms`, `4KiB`, `95%`.
pub(crate) fn number(word: &str) -> Option<f64> {
    let end = word.rfind(|c: char| c.is_ascii_digit() || c == '.').map(|at| at + 1)?;
    let factor = UNITS.iter().find(|(unit, _)| *unit == &word[end..])?.1;
    word[..end].parse::<f64>().ok().map(|value| value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Kind); 3] = [("op", Kind::Text), ("hops", Kind::Number), ("recall", Kind::Number)];

    #[test]
    fn conditions_take_the_rows_that_they_say() {
        let row = [Value::Text("find_peer"), Value::Number(3.0), Value::Absent];
        for (text, wanted) in [
            ("op = find_peer", true),
            ("op != find_peer", false),
            ("op ~ '*peer'", true),
            ("hops >= 3 and hops < 4", true),
            ("hops>3", false),
            ("op in [get, \"find_peer\"]", true),
            ("not (hops = 3 or op = get)", false),
            ("op = get or op = put or hops = 3", true),
            ("op = find_peer or op = put and hops = 9", true),
            ("recall < 95%", false),
            ("recall >= 95%", false),
            ("not recall >= 95%", true),
            ("recall is null", true),
            ("hops is not null", true),
        ] {
            let filter = Filter::parse(text, &COLUMNS).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(filter.takes(&row), wanted, "{text}");
        }
        for (word, wanted) in [("2s", 2e9), ("1.5ms", 1.5e6), ("-3", -3.0), ("4KiB", 4096.0), ("50%", 0.5)] {
            assert_eq!(number(word), Some(wanted), "{word}");
        }
    }

    #[test]
    fn the_place_of_a_mistake_is_told() {
        for (text, at, why) in [
            ("", 0, "name of a column"),
            ("hopps > 1", 0, "did you mean `hops`?"),
            ("hops > many", 7, "holds numbers"),
            ("hops 3", 5, "must stand here"),
            ("hops = 3 op = get", 9, "`and`, `or` or the end"),
            ("(hops = 3", 9, "`)` is missing"),
            ("op = 'x", 5, "does not end"),
            ("op in get", 6, "a list"),
            ("hops ~ 3", 5, "for texts"),
            ("op =", 4, "a value"),
            ("hops is 3", 8, "`null`"),
        ] {
            let error = Filter::parse(text, &COLUMNS).expect_err(text);
            assert!(error.at == at && error.why.contains(why), "{text}: {} at {}", error.why, error.at);
        }
        let deep = format!("{}hops = 3", "not ".repeat(1000));
        assert!(Filter::parse(&deep, &COLUMNS).is_err());
    }
}
