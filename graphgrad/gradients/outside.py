"""What exchanges data with files, queues, sessions, summaries, Python or an optimizer of its own has no gradient."""

from __future__ import annotations

from graphgrad.registry import no_gradient

no_gradient("PyFunc", "PyFuncStateless", "Timestamp")
no_gradient("ReduceDataset", "GetSessionHandle", "GetSessionHandleV2", "GetSessionTensor", "DeleteSessionTensor")
no_gradient("SdcaFprint", "SdcaOptimizer", "SdcaOptimizerV2", "SdcaShrinkL1")
no_gradient("DecodeProtoV2", "EncodeProto")
no_gradient("GenerateVocabRemapping", "LoadAndRemapMatrix")
no_gradient(
    *["AudioSummary", "AudioSummaryV2", "HistogramSummary", "ImageSummary", "MergeSummary", "ScalarSummary"],
    *["TensorSummary", "TensorSummaryV2"],
)
no_gradient(
    *["QueueClose", "QueueDequeue", "QueueDequeueMany", "QueueDequeueUpTo"],
    *["QueueEnqueue", "QueueEnqueueMany", "QueueSize"],
)
no_gradient(
    *["FixedLengthRecordReader", "IdentityReader", "LMDBReader", "TFRecordReader", "TextLineReader", "WholeFileReader"],
    *["ReaderNumRecordsProduced", "ReaderNumWorkUnitsCompleted", "ReaderRead", "ReaderReadUpTo", "ReaderReset"],
    *["ReaderRestoreState", "ReaderSerializeState"],
)
