//! The table in `README.md` tells the truth.

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
        let source = [tests.join("conformance").join(module), tests.join(module)]
            .iter()
            .find_map(|file| fs::read_to_string(file.with_extension("rs")).ok());
        let function = format!("fn {function}(");
        assert!(name == "module::test" || source.is_some_and(|source| source.contains(&function)), "no {name}");
    }
}
