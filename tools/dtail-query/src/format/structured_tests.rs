//! The formats that DTail does not have: which fields a line has and which lines do not fit.

use std::sync::Arc;

use expect_test::{Expect, expect};

use crate::{
    Aggregator, HostFacts, LogFormat, Query, UserFormats,
    fixture::{self, csv},
    random::Random,
};

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
fn check(query: &str, lines: &str, expected: Expect) {
    expected.assert_eq(&fixture::run(query, false, lines.as_bytes()));
}

#[test]
fn json_fields_are_named_by_path() {
    check(
        "select a,b.c,b.d.0,b.d.1.x,x.y,n,t,o,l,missing group by k logformat json",
        r#"{"k":1,"a":"text","b":{"c":-1.5e3,"d":[true,{"x":"deep"}]},"x.y":"dotted","n":null,"t":false}
{ "k" : 2 , "o" : { "p": [1, "}"] } , "l" : [ 1 , "]" ] }
{"k":"3","b":{"d":[]},"x":{"y":"nested"},"a":""}"#,
        expect![[r#"
            a,b.c,b.d.0,b.d.1.x,x.y,n,t,o,l,missing
            text,-1.5e3,true,deep,dotted,,false,,,
            ,,,,,,,"{ ""p"": [1, ""}""] }","[ 1 , ""]"" ]",
            ,,,,nested,,,,,
        "#]],
    );
}

#[test]
fn json_escapes_are_decoded_in_keys_and_values() {
    check(
        r#"select a,"k"x",é group by i logformat json"#.replace("\"k\"x\"", "kx").as_str(),
        r#"{"i":1,"a":"q\"b\\s\/n\nt\tu\u00e9s\ud83d\ude00h\ud83dz\q","k\u0078":"key","\u00e9":1}"#,
        expect![[r#"
            a,kx,é
            "q""b\s/n
            t	ués😀h�z\q",key,1
        "#]],
    );
}

#[test]
fn lines_that_are_no_json_are_counted() {
    check(
        "select count(*),sum(a) logformat json",
        "{\"a\":1}\n\n  \t\n{}\n{\"a\":1\nnot json\n[1]\n{\"a\":1}x\n{\"a\" 1}\n{\"a\":tru}\n{\"a\":1,}\n\
         {\"b\":[1}}\n{\"b\":\"\\\"}\n{\"a\":1\"\"}\n{\"a\":2}\r\n",
        expect![[r#"
            count(*),sum(a)
            3,3.000000
            warning: 10 lines do not fit log format "json" (not a JSON object), first "{\"a\":1"
        "#]],
    );
}

#[test]
fn json_nested_deeper_than_any_stack_is_no_trouble() {
    let open = "[".repeat(300_000);
    let close = "]".repeat(300_000);
    let deep = format!("{{\"x\":{open}{close},\"a\":1}}\n{{\"x\":{open},\"a\":1}}");
    check(
        "select sum(a) logformat jsonl",
        &deep,
        expect![[r#"
            sum(a)
            1.000000
            warning: 1 line does not fit log format "json" (not a JSON object), first "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…"
        "#]],
    );
}

#[test]
fn logfmt_values_may_be_quoted_and_flags_are_true() {
    check(
        "select level,msg,n,flag,empty,$time group by n logformat logfmt",
        "ts=12:00 level=info msg=\"two words \\\"quoted\\\"\" n=1 flag empty=\n\
         \n level=warn  msg=plain n=2 time=now x=\"open\n n=3 msg=\"\" a=b=c",
        expect![[r#"
            level,msg,n,flag,empty,$time
            info,"two words ""quoted""",1,true,,12:00
            ,,3,,,
            warning: 1 line does not fit log format "logfmt" (a quote that is never closed), first " level=warn  msg=plain n=2 time=now x=\"open"
        "#]],
    );
}

const ACCESS: &str = r#"192.0.2.1 - ann [10/Oct/2000:13:55:36 -0700] "GET /a?b=c d HTTP/1.0" 200 2326 "http://x/" "Mozilla \"5\" (X)"
::1 - - [10/Oct/2000:13:55:37 -0700] "-" 400 - "-" "-" "more"
192.0.2.1 - - [10/Oct/2000:13:55:38 -0700] "POST /up HTTP/2" 201 10

nonsense
192.0.2.1 - - [10/Oct/2000:13:55:38 -0700] "POST /up"#;

#[test]
fn access_logs_have_the_fields_of_the_common_and_the_combined_format() {
    check(
        "select remote_host,user,time,request,method,path,protocol,status,bytes,referer,user_agent \
         group by $time logformat combined",
        ACCESS,
        expect![[r#"
            remote_host,user,time,request,method,path,protocol,status,bytes,referer,user_agent
            192.0.2.1,ann,10/Oct/2000:13:55:36 -0700,GET /a?b=c d HTTP/1.0,GET,/a?b=c d,HTTP/1.0,200,2326,http://x/,"Mozilla \""5\"" (X)"
            ::1,,10/Oct/2000:13:55:37 -0700,,,,,400,,,
            warning: 2 lines do not fit log format "combined" (not HOST IDENTITY USER [TIME] "REQUEST" STATUS BYTES), first "nonsense"
            warning: 1 line does not fit log format "combined" (no "REFERER" "USER AGENT" at its end), first "192.0.2.1 - - [10/Oct/2000:13:55:38 -0700] \"POST /up HTTP/2\"…"
        "#]],
    );
    check(
        "select count($line),avg(bytes),method group by method logformat common",
        ACCESS,
        expect![[r#"
            count($line),avg(bytes),method
            1,0.000000,
            1,2326.000000,GET
            1,10.000000,POST
            warning: 2 lines do not fit log format "common" (not HOST IDENTITY USER [TIME] "REQUEST" STATUS BYTES), first "nonsense"
        "#]],
    );
}

#[test]
fn syslog_lines_are_told_apart_one_by_one() {
    check(
        "select facility,severity,priority,version,time,host,app,pid,msgid,structured_data,message \
         group by $line logformat syslog",
        "<34>1 2003-10-11T22:14:15.003Z host.example su 12 ID47 [a x=\"]\\\"\"][b] \u{feff}failed\n\
         <165>1 - - - - - -\n\
         <13>Oct 11 22:14:15 host app[7]: hello: there\n\
         Oct  1 02:04:05 host kernel: up\n\
         2024-01-02T03:04:05.678+01:00 host CRON[9]: (root) CMD\n\
         Oct  1 02:04:05 host no tag here\n\
         <999>Oct  1 02:04:05 host x: y\n\
         what is this",
        expect![[r#"
            facility,severity,priority,version,time,host,app,pid,msgid,structured_data,message
            ,,,,2024-01-02T03:04:05.678+01:00,host,CRON,9,,,(root) CMD
            1,5,13,,Oct 11 22:14:15,host,app,7,,,hello: there
            20,5,165,1,,,,,,,
            4,2,34,1,2003-10-11T22:14:15.003Z,host.example,su,12,ID47,"[a x=""]\""""][b]",failed
            ,,,,Oct  1 02:04:05,host,kernel,,,,up
            ,,,,Oct  1 02:04:05,host,,,,,no tag here
            warning: 2 lines do not fit log format "syslog" (neither RFC 5424 nor RFC 3164), first "<999>Oct  1 02:04:05 host x: y"
        "#]],
    );
}

fn chosen(name: &str, expression: &str) -> Result<LogFormat, String> {
    let formats = UserFormats::new([(name.to_owned(), expression.to_owned())]);
    let query = Query::parse(&format!("select a logformat {name}")).unwrap();
    LogFormat::choose(&query, "default", &formats).map_err(|err| err.to_string())
}

#[test]
fn a_format_of_the_users_own_is_an_expression_with_names() {
    let formats = UserFormats::new([(
        "mine".to_owned(),
        r"^(?P<time>\S+) (?<level>[A-Z]+)(?: took (?P<ms>\d+)ms)?".to_owned(),
    )]);
    let query = "select $time,level,ms,count($line) group by level logformat mine";
    let query = Arc::new(Query::parse(query).unwrap());
    let format = LogFormat::choose(&query, "default", &formats).unwrap();
    assert_eq!(format.fields_of(b"1 INFO")[1], ("level".to_owned(), "INFO".to_owned()));
    let host = HostFacts::default();
    let mut aggregator = Aggregator::new(Arc::clone(&query), format, host, false);
    for line in ["1 INFO", "2 INFO took 7ms", "", "3 warn", "4 ERR\u{a0}"] {
        aggregator.line(line.as_bytes());
    }
    expect![[r#"
        $time,level,ms,count($line)
        4,ERR,,1
        2,INFO,7,2
    "#]]
    .assert_eq(&csv(&aggregator.take(), &query));
    expect![[r#"["1 line does not fit log format \"mine\" (its expression does not match), first \"3 warn\""]"#]]
        .assert_eq(&format!("{:?}", aggregator.take_warnings()));
}

#[test]
fn a_bad_format_is_refused_in_one_line() {
    let shown =
        [("json", "(?P<a>x)"), ("x", "(?P<a>x"), ("x", "x"), ("x", "(?P<a>\\w{1000}{1000})")]
            .map(|(name, text)| match name {
                "json" => UserFormats::new([(name.to_owned(), text.to_owned())])
                    .check()
                    .unwrap_err()
                    .to_string(),
                _ => chosen(name, text).unwrap_err(),
            })
            .join("\n");
    expect![[r#"
        log format "json": the name is that of a format of dtail: choose another
        log format "x": bad regular expression: unclosed group
        log format "x": its expression names no field: write groups such as (?P<host>\S+)
        log format "x": bad regular expression: Compiled regex exceeds size limit of 4194304 bytes."#]]
    .assert_eq(&shown);
}

#[test]
fn the_fields_of_a_line_can_be_shown() {
    let show = |format: LogFormat, line: &str| {
        let fields = format.fields_of(line.as_bytes());
        let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
        format!("{}: {}\n", format.name(), fields.collect::<Vec<_>>().join(" "))
    };
    let shown = [
        show(LogFormat::Default, &fixture::stats("3", "a=1|b=2")),
        show(LogFormat::GenericKv, "a=1|b|c=2"),
        show(LogFormat::Csv, "\u{feff}a,\"b,c\",d\r"),
        show(LogFormat::Json, r#"{"a":{"b":1,"c":"\u0041"},"d":[1,2],"e":null}"#),
        show(LogFormat::Logfmt, "a=1 b=\"c d\" e"),
        show(LogFormat::Common, ACCESS.lines().next().unwrap()),
        show(LogFormat::Syslog, "<13>Oct 11 22:14:15 host app[7]: hello"),
        show(LogFormat::Generic, "anything"),
    ]
    .concat();
    expect![[r#"
        default: $severity=INFO $loglevel=INFO $time=20211002-071143 $pid=1 $caller=stats.go:56 $cpus=8 $goroutines=3 $cgocalls=7 $loadavg=0.21 $uptime=471h0m21s a=1 b=2
        generickv: a=1 c=2
        csv: 1=a 2=b,c 3=d
        json: a.b=1 a.c=A d=[1,2] e=null
        logfmt: a=1 b=c d e=true
        common: remote_host=192.0.2.1 identity=- user=ann time=10/Oct/2000:13:55:36 -0700 request=GET /a?b=c d HTTP/1.0 method=GET path=/a?b=c d protocol=HTTP/1.0 status=200 bytes=2326
        syslog: priority=13 time=Oct 11 22:14:15 host=host app=app pid=7 message=hello facility=1 severity=5
        generic: $line=anything
    "#]]
    .assert_eq(&shown);
}

/// Lines may come in any order and to any thread: complaints are those of the earliest block.
#[test]
fn complaints_of_several_readers_are_told_as_one() {
    let (_, mut first) = fixture::aggregator("select sum(a) logformat json", false);
    let mut second = first.clone_empty();
    second.begin_block(2);
    second.line(b"later");
    second.line(b"{\"a\":\"y\"}");
    first.begin_block(3);
    first.line(b"last");
    first.begin_block(4);
    first.line(b"{\"a\":\"z\"}");
    first.absorb_complaints(&mut second);
    assert!(second.take_warnings().is_empty());
    expect![[r#"
        [
            "field \"a\": 2 values are not numbers, first \"y\"",
            "2 lines do not fit log format \"json\" (not a JSON object), first \"later\"",
        ]
    "#]]
    .assert_debug_eq(&first.take_warnings());
}

#[test]
fn no_line_of_any_format_panics() {
    let pieces: [&[u8]; 22] = [
        b"{",
        b"}",
        b"[",
        b"]",
        b"\"",
        b"\\",
        b",",
        b":",
        b"a",
        b" ",
        b"1",
        b"true",
        b"\\u00e9",
        b"=",
        b"<13>",
        b"1 ",
        b"Oct 11 22:14:15 ",
        b"2024-01-02T",
        b"-",
        b"\"a\":",
        b"\xff",
        b"{\"a\":1}",
    ];
    let mut random = Random::new(23);
    for name in ["json", "logfmt", "common", "combined", "syslog", "csv", "generickv"] {
        let query = format!(
            "select a,a.b,a.0,message,path,$time,count($line) group by $line logformat {name}"
        );
        let (_, mut aggregator) = fixture::aggregator(&query, false);
        let format = LogFormat::BUILT_IN.iter().find(|(known, _)| *known == name).unwrap();
        for _ in 0..20_000 {
            let line: Vec<u8> = (0..random.below(12))
                .flat_map(|_| pieces[random.below(pieces.len())])
                .copied()
                .collect();
            aggregator.line(&line);
            format.1.fields_of(&line);
        }
        assert!(aggregator.take_warnings().iter().all(|it| it.len() < 1000));
    }
}
