//! A check of JSON against the part of JSON Schema that docs/report.schema.json uses. For tests: a
//! word of the schema that it does not know is an offence, never silently fulfilled.

use serde_json::Value;

/// Everything about `value` that `schema` does not allow, each with its place.
pub(crate) fn offences(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, schema, value, "$", &mut found);
    found
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let Some(words) = schema.as_object() else {
        found.push(format!("{place}: a schema is an object"));
        return;
    };
    for (word, rule) in words {
        let holds = match word.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let pointer = rule.as_str().unwrap_or_default().trim_start_matches('#');
                if let Some(other) = root.pointer(pointer) {
                    check(root, other, value, place, found);
                }
                root.pointer(pointer).is_some()
            }
            "const" => rule == value,
            "enum" => rule.as_array().is_some_and(|all| all.contains(value)),
            "type" => match rule {
                Value::Array(all) => all.iter().any(|name| is(name, value)),
                name => is(name, value),
            },
            "minimum" => value.as_f64() >= rule.as_f64() || !value.is_number(),
            "maximum" => value.as_f64() <= rule.as_f64() || !value.is_number(),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{place}[{index}]"), found);
                }
                true
            }
            "required" => {
                let names = rule.as_array().into_iter().flatten().filter_map(Value::as_str);
                let missing: Vec<_> = names.filter(|name| value.get(name).is_none()).collect();
                found.extend(missing.iter().map(|name| format!("{place}.{name}: is missing")));
                true
            }
            "properties" => {
                for (name, rule) in rule.as_object().into_iter().flatten() {
                    if let Some(field) = value.get(name) {
                        check(root, rule, field, &format!("{place}.{name}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties");
                for name in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
                    if known.and_then(|known| known.get(name)).is_none() {
                        found.push(format!("{place}.{name}: the schema does not know it"));
                    }
                }
                rule == false
            }
            _ => false,
        };
        if !holds {
            found.push(format!("{place}: {word} {rule} does not hold for {value:.60}"));
        }
    }
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        _ => false,
    }
}
