"""ENGINE WORK FILE TITLES: prints the titles, then a row for each group, as dmap --output csv does.

The peers of `cargo xtask bench dmap`. Columns are told, never looked for; no row has an order unless
the work says so.
"""
import sys

engine, work, path, titles = sys.argv[1:]
# A line of DTail's format has thirteen parts, of which the last three are key=value.
PARTS = ["c%d" % number for number in range(13)]
HOST, CURRENT, LIFETIME = len("hostname="), len("currentConnections="), len("lifetimeConnections=")
TABLE = "MAPREDUCE:STATS"


def duckdb_rows():
    import duckdb

    columns = ",".join("'%s':'VARCHAR'" % part for part in PARTS)
    plain = "header=false, quote='', escape='', auto_detect=false"
    stats = f"read_csv('{path}', delim='|', {plain}, columns={{{columns}}}) where c9='{TABLE}'"
    lines = f"read_csv('{path}', delim='\x01', {plain}, columns={{'l':'VARCHAR'}})"
    csv = (
        f"read_csv('{path}', header=true, auto_detect=false, columns={{'timestamp':'VARCHAR',"
        "'user':'VARCHAR','action':'VARCHAR','duration':'INTEGER','status':'VARCHAR'})"
    )
    json = (
        f"read_json('{path}', format='newline_delimited',"
        " columns={'user':'VARCHAR','duration':'INTEGER'})"
    )
    current, lifetime = f"cast(c11[{CURRENT + 1}:] as int)", f"c12[{LIFETIME + 1}:]"
    found = "regexp_extract(l,'%s=([^|]*)',1)"
    anyhow = [found % name for name in ("hostname", "currentConnections", "lifetimeConnections")]
    select = {
        "stats": f"count(*), avg({current}), max(cast({lifetime} as bigint)), c10[{HOST + 1}:] as g"
        f" from {stats} group by g",
        "stats-any": f"count(*), avg(cast({anyhow[1]} as int)), max(cast({anyhow[2]} as bigint)),"
        f" {anyhow[0]} as g from {lines} where contains(l,'|{TABLE}|') group by g",
        "csv": f"count(*), avg(duration), max(duration), \"user\" from {csv} group by \"user\"",
        "json": f"count(*), avg(duration), max(duration), \"user\" from {json} group by \"user\"",
        "groups": f"count(*), sum({current}), {lifetime} as g from {stats} group by g"
        " order by 2 desc, g limit 10",
    }
    return duckdb.sql("select " + select[work]).fetchall()


def polars_rows():
    import polars as pl

    if work == "stats":
        frame = pl.scan_csv(
            path, separator="|", has_header=False, quote_char=None, infer_schema=False,
            new_columns=PARTS,
        ).filter(pl.col("c9") == TABLE)
        frame = frame.with_columns(
            g=pl.col("c10").str.slice(HOST),
            a=pl.col("c11").str.slice(CURRENT).cast(pl.Int64),
            m=pl.col("c12").str.slice(LIFETIME).cast(pl.Int64),
        )
    elif work == "csv":
        frame = pl.scan_csv(path).select(g="user", a="duration", m="duration")
    else:
        schema = {"user": pl.String, "duration": pl.Int64}
        frame = pl.scan_ndjson(path, schema=schema).select(g="user", a="duration", m="duration")
    found = frame.group_by("g").agg(
        count=pl.len(), mean=pl.col("a").mean(), most=pl.col("m").max()
    )
    return found.select("count", "mean", "most", "g").collect(engine="streaming").rows()


def chdb_rows():
    import chdb

    if work == "stats":
        columns = ", ".join(part + " String" for part in PARTS)
        query = (
            f"select count(), avg(toInt64(substring(c11,{CURRENT + 1}))),"
            f" max(toInt64(substring(c12,{LIFETIME + 1}))), substring(c10,{HOST + 1}) as g"
            f" from file('{path}', CSV, '{columns}') where c9='{TABLE}' group by g"
            " settings format_csv_delimiter='|'"
        )
    else:
        form, columns = {
            "csv": (
                "CSVWithNames",
                "timestamp String, user String, action String, duration Int32, status String",
            ),
            "json": ("JSONEachRow", "user String, duration Int32"),
        }[work]
        query = (
            "select count(), avg(duration), max(duration), user"
            f" from file('{path}', {form}, '{columns}') group by user"
        )
    answer = str(chdb.query(query, "TSV")).splitlines()
    rows = (line.split("\t") for line in answer)
    return [(int(row[0]), *map(float, row[1:-1]), row[-1]) for row in rows]


rows = {"duckdb": duckdb_rows, "polars": polars_rows, "chdb": chdb_rows}[engine]()
print(titles)
for count, *numbers, group in rows:
    print(count, *("%.6f" % number for number in numbers), group, sep=",")
