//! What bad input gets.

use crate::problems;

#[test]
fn ten_mistakes_get_ten_messages() {
    let text = r#"
[global]
plan = "pings"
case = "rrt"
biulder = "exec:cargo"
runner = "local:docker"
total_instances = 10
deadline = "5 minutes"

[[groups]]
id = "servers"
builder = "exec:crago"
instances = { count = 5, percentage = 0.5 }

[[groups]]
id = "clients"
builder = "exec:cargo"
instances = { percentage = 30 }
expect = "fine"
  [groups.run.test_params]
  "a=b" = "c"

[[groups]]
id = "clients"
builder = "exec:cargo"
instances = { count = "4" }
"#;
    let found = problems(text);
    let wanted = [
        ("composition.toml:4:", "did you mean `rtt`?"),
        ("composition.toml:5:", "did you mean `builder`?"),
        ("composition.toml:6:", "--backend local:exec"),
        ("composition.toml:8:", "deadline = \"5m\""),
        ("composition.toml:12:", "did you mean `exec:cargo`?"),
        ("composition.toml:13:", "keep one of them"),
        ("composition.toml:18:", "write `percentage = 0.3`"),
        ("composition.toml:19:", "\"ok\", \"exit:3\""),
        ("composition.toml:21:", "a name holds no"),
        ("composition.toml:24:", "an id of its own"),
        ("composition.toml:26:", "a whole number"),
    ];
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    for (problem, (place, part)) in found.iter().zip(wanted) {
        assert!(problem.starts_with(place) && problem.contains(part), "{problem} should be {place} {part}");
    }
}
