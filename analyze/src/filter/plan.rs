//! A condition as an expression of polars, which means the same as [`Filter::takes`] row by row.

use polars::prelude::{BooleanChunked, Column, DataType, Expr, Field, IntoColumn as _, NewChunkedArray as _, col, lit};

use super::{Filter, Literal, Node, Relation, Value, holds};

impl Filter {
    /// The condition on columns of a frame, `name` giving the column for each place.
    ///
    /// A column of numbers is to be of floats; one of texts, of strings. The result is true or false and never null.
    pub(crate) fn expr(&self, name: &impl Fn(usize) -> String) -> Expr {
        self.root.expr(name)
    }
}

impl Node {
    fn expr(&self, name: &impl Fn(usize) -> String) -> Expr {
        match self {
            Self::And(a, b) => a.expr(name).and(b.expr(name)),
            Self::Or(a, b) => a.expr(name).or(b.expr(name)),
            Self::Not(a) => a.expr(name).not(),
            Self::IsNull(at) => col(name(*at)).is_null(),
            Self::In(at, list) => list
                .iter()
                .map(|one| compare(&name(*at), Relation::Equal, one))
                .reduce(Expr::or)
                .unwrap_or_else(|| lit(false)),
            Self::Compare(at, relation, literal) => compare(&name(*at), *relation, literal),
        }
    }
}

/// What is absent compares as false, also where the result is turned round.
fn compare(name: &str, relation: Relation, literal: &Literal) -> Expr {
    let column = || col(name.to_owned());
    let compared = |literal: Expr| match relation {
        Relation::Equal => column().eq(literal),
        Relation::Unequal => column().neq(literal),
        Relation::Less => column().lt(literal),
        Relation::AtMost => column().lt_eq(literal),
        Relation::Greater => column().gt(literal),
        Relation::AtLeast => column().gt_eq(literal),
        Relation::Like => lit(false),
    };
    match (relation, literal) {
        (Relation::Like, Literal::Text(_)) | (_, Literal::Both(..)) => each(column(), relation, literal.clone()),
        // polars takes NaN for a number that is more than all others.
        (_, Literal::Number(number)) => compared(lit(*number)).and(column().is_not_nan()).fill_null(lit(false)),
        (_, Literal::Text(text)) => compared(lit(text.as_str())).fill_null(lit(false)),
    }
}

/// What polars has no word for, text by text.
fn each(column: Expr, relation: Relation, literal: Literal) -> Expr {
    let taken = move |column: Column| {
        let texts = column.str()?;
        let takes = |text: Option<&str>| holds(text.map_or(Value::Absent, Value::Text), relation, &literal);
        let taken = BooleanChunked::from_iter_values(column.name().clone(), texts.iter().map(takes));
        Ok(taken.into_column())
    };
    column.map(taken, |_, field| Ok(Field::new(field.name().clone(), DataType::Boolean)))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataFrame, IntoLazy as _, df};
    use proptest::prelude::*;

    use super::*;
    use crate::filter::Kind;

    const COLUMNS: [(&str, Kind); 4] =
        [("text", Kind::Text), ("number", Kind::Number), ("written", Kind::Written), ("params.a b", Kind::Written)];

    type Row = (Option<String>, Option<f64>, Option<String>, Option<String>);

    fn word() -> impl Strategy<Value = String> {
        proptest::sample::select(vec!["", "a", "ab", "b", "20", "20.0", "1s", "1000ms", "-3", "9", "é", "null", "x y"])
            .prop_map(str::to_owned)
    }

    fn row() -> impl Strategy<Value = Row> {
        let numbers = vec![0.0, -0.0, 1.0, 20.0, -3.0, 1e9, f64::NAN, f64::INFINITY];
        let text = || proptest::option::of(word());
        (text(), proptest::option::of(proptest::sample::select(numbers)), text(), text())
    }

    fn condition() -> impl Strategy<Value = String> {
        let column = || {
            prop_oneof![
                (Just("text"), word().prop_map(|word| format!("'{word}'"))),
                (
                    Just("number"),
                    proptest::sample::select(vec!["0", "1", "20", "-3", "1s", "95%"]).prop_map(str::to_owned)
                ),
                (
                    Just("written"),
                    proptest::sample::select(vec!["20", "1s", "-3", "ab", "'20'", "''"]).prop_map(str::to_owned)
                ),
                (Just("`params.a b`"), proptest::sample::select(vec!["20", "a*", "b"]).prop_map(str::to_owned)),
            ]
        };
        let relations = proptest::sample::select(vec!["=", "==", "!=", "<", "<=", ">", ">=", "~"]);
        let leaf = prop_oneof![
            (column(), relations).prop_map(|((name, value), relation)| {
                let relation = if name == "number" && relation == "~" { "!=" } else { relation };
                format!("{name} {relation} {value}")
            }),
            (column(), proptest::bool::ANY)
                .prop_map(|((name, _), not)| { format!("{name} is {}null", if not { "not " } else { "" }) }),
            column().prop_map(|(name, value)| format!("{name} in [{value}, {value}]")),
        ];
        leaf.prop_recursive(4, 24, 2, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) and ({b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
                inner.prop_map(|a| format!("not ({a})")),
            ]
        })
    }

    fn frame(rows: &[Row]) -> DataFrame {
        df!(
            "by:text" => rows.iter().map(|row| row.0.as_deref()).collect::<Vec<_>>(),
            "by:number" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "by:written" => rows.iter().map(|row| row.2.as_deref()).collect::<Vec<_>>(),
            "by:params.a b" => rows.iter().map(|row| row.3.as_deref()).collect::<Vec<_>>(),
            "at" => (0_u32..).take(rows.len()).collect::<Vec<_>>(),
        )
        .unwrap()
    }

    proptest! {
        #[test]
        fn a_plan_takes_what_row_by_row_is_taken(text in condition(), rows in proptest::collection::vec(row(), 0..12)) {
            let filter = Filter::parse(&text, &COLUMNS).unwrap_or_else(|error| panic!("{error}"));
            let value = |text: &Option<String>| text.clone();
            let wanted: Vec<u32> = (0_u32..).zip(&rows).filter(|(_, row)| {
                let texts = [value(&row.0), value(&row.2), value(&row.3)];
                let text = |at: usize| texts[at].as_deref().map_or(Value::Absent, Value::Text);
                filter.takes(&[text(0), row.1.map_or(Value::Absent, Value::Number), text(1), text(2)])
            }).map(|(at, _)| at).collect();
            let expr = filter.expr(&|at| format!("by:{}", COLUMNS[at].0));
            let taken = frame(&rows).lazy().filter(expr.clone()).collect().unwrap();
            let found: Vec<u32> = taken.column("at").unwrap().u32().unwrap().iter().flatten().collect();
            prop_assert_eq!(found, wanted, "{}", text);
            // What is taken and what is not are all: nothing is lost between a condition and its opposite.
            let rest = frame(&rows).lazy().filter(expr.not()).collect().unwrap();
            prop_assert_eq!(taken.height() + rest.height(), rows.len());
        }
    }
}
