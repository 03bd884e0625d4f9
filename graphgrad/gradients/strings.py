"""Strings have no gradients."""

from __future__ import annotations

from graphgrad.registry import no_gradient

no_gradient(
    *["AsString", "DecodeBase64", "EncodeBase64", "ReduceJoin", "RegexReplace"],
    *["StringJoin", "StringSplit", "StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong"],
    *["StringToNumber"],
)
