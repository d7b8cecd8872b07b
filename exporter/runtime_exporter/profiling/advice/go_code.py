"""What Go code costs more than it needs to, read off the frames of CPU profiles. In the order of causes."""

from __future__ import annotations

from typing import Final

from runtime_exporter.profiling.advice.frames import Frames
from runtime_exporter.profiling.advice.share import Share
from runtime_exporter.profiling.advice.values import Rule, Threshold
from runtime_exporter.profiling.advice.wording import COMPARE, LARGE, SMALL

_START: Final = Frames("runtime.doInit*")
"""Initialisation of packages runs beneath runtime.doInit1; a closure called main.init.func1 is only defined there."""

RULES: Final = (
    Rule(
        name="go-tls-handshake",
        language="go",
        title="TLS handshakes cost a noticeable part of the CPU",
        judge=Share(
            frames=Frames("crypto/tls.(*Conn).Handshake*", "crypto/tls.(*Conn).handshakeContext", "crypto/tls.(*Conn).clientHandshake", "crypto/tls.(*Conn).serverHandshake", "crypto/x509.*"),
            threshold=Threshold("share of CPU time beneath TLS handshakes", 0.05, "ratio", SMALL),
            what="TLS handshakes and certificates",
        ),
        kind="cpu",
        speaks="Handshakes of crypto/tls or the checking of certificates have the share; encrypting the data is not counted.",
        silent="Connections live long.",
        do="Reuse connections: one http.Client, read each body to its end and close it, MaxIdleConnsPerHost above the number of parallel requests; on the server allow keep-alive and session tickets.",
        verify=COMPARE,
        wrong="The clients are many and each comes once.",
    ),
    Rule(
        name="go-regexp-compile",
        language="go",
        title="Regular expressions are compiled while serving",
        judge=Share(
            frames=Frames("regexp.Compile*", "regexp.MustCompile*", "regexp.MatchString", "regexp.Match", "regexp.compile"),
            without=_START,
            threshold=Threshold("share of CPU time compiling regular expressions", 0.01, "ratio", SMALL),
            what="compiling regular expressions",
        ),
        kind="cpu",
        speaks="regexp.Compile and its kin run outside the initialisation of a package.",
        silent="They run in package variables or init().",
        do="Compile it once, in a package variable: regexp.MustCompile there, Regexp is safe for concurrent use.",
        verify=COMPARE,
        wrong="The patterns come from users and each is used once.",
    ),
    Rule(
        name="go-json-reflection",
        language="go",
        title="encoding/json costs a large part of the CPU",
        judge=Share(
            frames=Frames("encoding/json.*", "encoding/json/*"),
            threshold=Threshold("share of CPU time beneath encoding/json", 0.10, "ratio", LARGE),
            what="encoding/json",
        ),
        kind="cpu",
        speaks="encoding/json (v2 and jsontext, which it rests on from Go 1.25's experiment on, included) has the share.",
        silent="Another codec is used.",
        do="Send less; decode into structs and not into `any`; reuse buffers (Encoder on a pooled bytes.Buffer); for the few hot types generate the code.",
        verify=COMPARE,
        wrong="The bound is not the gain: another codec takes its time, too.",
    ),
    Rule(
        name="go-sprintf",
        language="go",
        title="fmt formats in a hot path",
        judge=Share(
            frames=Frames("fmt.Sprint*", "fmt.Appendf*"),
            threshold=Threshold("share of CPU time beneath fmt.Sprintf", 0.05, "ratio", SMALL),
            what="fmt.Sprintf and its kin",
        ),
        kind="cpu",
        speaks="fmt.Sprintf, Sprint or Sprintln have the share.",
        silent="Texts are put together without fmt.",
        do="Use strconv.Append* and a []byte or strings.Builder; as a key of a map, use a struct.",
        verify=COMPARE,
        wrong="The text is for people and rare, and the window is not typical.",
    ),
    Rule(
        name="go-growing-containers",
        language="go",
        title="Slices, maps and strings grow bit by bit",
        judge=Share(
            frames=Frames(
                "runtime.growslice*",
                "reflect.growslice",
                "runtime.mapassign*",
                "internal/runtime/maps.(*Map).growTo*",
                "internal/runtime/maps.(*table).grow*",
                "internal/runtime/maps.(*table).rehash",
                "runtime.convT*",
                "runtime.concatstring*",
            ),
            threshold=Threshold("share of CPU time growing containers", 0.05, "ratio", SMALL),
            what="growing slices and maps, boxing values and joining strings",
        ),
        kind="cpu",
        speaks="runtime.growslice, mapassign, convT or concatstrings have the share; what the collector does meanwhile is not counted.",
        silent="Another rule has explained these stacks (formatting and JSON grow slices, too).",
        do="make([]T, 0, n) and make(map[K]V, n) where n is known, strings.Builder with Grow, and no values in interfaces in the inner loop.",
        verify=COMPARE,
        wrong="Writing to a map of the right size is mapassign, too: then the map is the work.",
    ),
    Rule(
        name="go-block-profiling",
        language="go",
        title="The block profiler itself costs CPU",
        judge=Share(
            frames=Frames("runtime.blockevent*", "runtime.saveblockevent*", "runtime.blocksampled"),
            threshold=Threshold("share of CPU time recording blocking events", 0.01, "ratio", "chosen: as the overhead budget"),
            what="recording blocking events",
        ),
        kind="cpu",
        speaks="runtime.blockevent and what it calls have the share.",
        silent="The profiler is off, or its rate leaves next to nothing.",
        do="runtime.SetBlockProfileRate(100_000_000) records one event in 100 ms of blocking, as Datadog does; rate 1 records each.",
        verify=COMPARE,
        wrong="It is on for an investigation, and for now.",
        severity="warning",
    ),
)  # fmt: skip
