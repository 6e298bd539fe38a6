//! Checks that each test that the table in `README.md` names exists.

use std::fs;
use std::path::Path;

#[test]
fn each_test_that_the_table_names_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let names: Vec<_> =
        include_str!("README.md").split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
    assert!(names.len() > 100);
    for name in names {
        let (module, function) = (name.split("::").next().unwrap(), name.rsplit("::").next().unwrap());
        let function = format!("fn {function}(");
        let is_there = ["conformance", "children", ""].iter().any(|folder| {
            let source = fs::read_to_string(tests.join(folder).join(module).with_extension("rs"));
            source.is_ok_and(|source| source.contains(&function))
        });
        assert!(name == "module::test" || is_there, "no {name}");
    }
}
