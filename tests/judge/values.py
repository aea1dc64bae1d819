"""Values of three databases, brought to one form so that they can be compared exactly.

A kind is what a column holds by its meaning, not by its storage: SQLite keeps a date as text, MariaDB a boolean as a small
integer.
"""

import datetime
import decimal
import json
import uuid

# Django's field types -> kinds. Whatever is not listed is text.
DJANGO_KINDS = {
    "AutoField": "int",
    "BigAutoField": "int",
    "BigIntegerField": "int",
    "IntegerField": "int",
    "PositiveBigIntegerField": "int",
    "PositiveIntegerField": "int",
    "PositiveSmallIntegerField": "int",
    "SmallIntegerField": "int",
    "BinaryField": "bytes",
    "BooleanField": "bool",
    "DateField": "date",
    "DateTimeField": "datetime",
    "DecimalField": "decimal",
    "DurationField": "duration",
    "FloatField": "float",
    "GenericIPAddressField": "address",
    "JSONField": "json",
    "TimeField": "time",
    "UUIDField": "uuid",
}


def declared_kind(declared: str) -> str:
    """The kind of a column from its declared type, for schemas that Django did not make."""
    name = declared.lower()
    if "bool" in name:
        return "bool"
    if "int" in name or name in ("year",):
        return "int"
    if any(part in name for part in ("numeric", "decimal")):
        return "decimal"
    if any(part in name for part in ("real", "double", "float")):
        return "float"
    if any(part in name for part in ("timestamp", "datetime")):
        return "datetime"
    if name.startswith("date"):
        return "date"
    if any(part in name for part in ("blob", "bytea", "binary")):
        return "bytes"
    if name.startswith("set("):
        return "set"
    if name.startswith(("char(", "character(")):
        return "padded"
    return "text"


def milliseconds(moment: datetime.datetime | datetime.time):
    """Django's JSON drops what is below a millisecond, so nothing below it can be compared."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def parse_moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text.strip().replace("Z", "+00:00"))


def canonical(value, kind: str, exact_time: bool = False):
    """The value in the form that all databases share; raises ValueError where it is not of its kind."""
    if value is None:
        return None
    match kind:
        case "int":
            if isinstance(value, float) and value != int(value):
                raise ValueError(f"{value!r} is no integer")
            return int(value)
        case "bool":
            if value not in (0, 1, True, False):
                raise ValueError(f"{value!r} is no boolean")
            return bool(value)
        case "decimal":
            number = decimal.Decimal(str(value)).normalize()
            return abs(number) if number == 0 else number
        case "float":
            return float(value)
        case "datetime":
            if isinstance(value, str):
                value = parse_moment(value)
            if not isinstance(value, datetime.datetime):
                value = datetime.datetime.combine(value, datetime.time())
            if value.tzinfo is not None:
                value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
            return value if exact_time else milliseconds(value)
        case "date":
            if isinstance(value, str):
                value = parse_moment(value)
            return value.date() if isinstance(value, datetime.datetime) else value
        case "time":
            if isinstance(value, datetime.timedelta):
                value = (datetime.datetime.min + value).time()
            if isinstance(value, str):
                value = datetime.time.fromisoformat(value)
            return value if exact_time else milliseconds(value)
        case "duration":
            if isinstance(value, datetime.timedelta):
                return value
            return datetime.timedelta(microseconds=int(value))
        case "uuid":
            return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))
        case "json":
            parsed = json.loads(value) if isinstance(value, (str, bytes)) else value
            return json.dumps(parsed, sort_keys=True)
        case "set":
            members = value.split(",") if isinstance(value, str) else value
            return tuple(sorted(member for member in members if member))
        case "padded":
            # PostgreSQL shows the padding of a CHAR column, MariaDB does not.
            return str(value).rstrip(" ")
        case "bytes":
            return value.encode() if isinstance(value, str) else bytes(value)
        case _:
            if isinstance(value, (list, dict)):
                return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            return value if isinstance(value, str) else str(value)
