"""An independent encoder of .klr files: the format's tables as text, and the rules in a page of Python.

Nothing here is made from the tables of src/: names, tags and the order of fields are those of format 0.0.12.
"""

import re
import struct

# NAME TAG : fields                 a structure; `-` marks a field that is counted and occupies no bytes
# NAME TAG = members                an enumeration, numbered in order
# NAME TAG | number name fields...  a sum
# Types: N natural, I integer, B boolean, S text, F float32, [T] list, T? option, or a name. A deeper line continues.
TABLE = """
Pos 100 : line:N column:N lineEnd:N? columnEnd:N? filename:S?
Stmt 103 | 0 oper op:Operator name:S? pos:Pos
Block 104 : label:S noReorder:B body:[Stmt]
Kernel 105 : name:S inputs:[TensorName] outputs:[TensorName] body:[Block]
SharedConstantFile 106 : name:S fileName:S
Edges 107 : fromEdge:S toEdges:[S]
LncKernel 108 : name:S inputs:[TensorName] outputs:[TensorName] bodies:[[Block]]
  sharedConstants:[SharedConstantFile] sharedBuffers:[TensorName] edges:[Edges]
Memory 110 = hbm sbuf psum reg shared_hbm private_hbm
Immediate 131 | 0 register reg:N | 1 pointer | 2 int i:I | 3 float f:F
Dtype 111 = bfloat16 float8e3 float8e4 float8e5 float16 float32 float32r int8 int16 int64 int32 uint8 uint16 uint32
  uint64 float8_e4m3 float8_e4m3fn float8_e5m2_x4 float8_e4m3fn_x4 float4_e2m1fn_x4
Shape 112 : parDim:N freeDims:[N]
Address 113 : name:S memory:Memory parSize:N freeSize:N parOffset:N? freeOffset:N? isShared:B
TensorName 114 : name:S dtype:Dtype shape:Shape address:Address freeElements:N parWF:- freeWF:- addressRotation:B
Slice 115 : l:N u:N step:I wf:-
Index 117 | 0 coord e:N | 1 slice slice:Slice
AccessBasic 118 : tensor:TensorName indexes:[Index] lenWF:-
APPair 119 : step:I num:N offset:N
AccessPattern 120 : tensor:TensorName parNum:N pattern:[APPair] parOffset:N freeOffset:N fixedAxis:[N]
ScalarOffset 123 | 0 reg r:S | 1 acc a:Access
BirAccessPattern 124 : tensor:TensorName offset:N pattern:[APPair] scalarOffset:ScalarOffset? vectorOffset:Access?
  indirectDim:I dtypeOverride:Dtype?
Access 125 | 0 simple tensor:TensorName | 1 basic access:AccessBasic | 2 pattern access:AccessPattern | 3 birPattern
  access:BirAccessPattern
TensorHbm 126 : name:S dtype:Dtype address:N dims:[APPair]
TensorSram 127 : name:S dtype:Dtype parNum:N pattern:[APPair] parOffset:N freeOffset:N
TensorRef 128 | 0 abstract access:Access | 1 sbuf view:TensorSram | 2 psum view:TensorSram | 3 hbm view:TensorHbm |
  4 register reg:N
MatmulPerfMode 129 = None DoubleRow DoubleRowSwInterleave
Engine 130 = unassigned act dma dve pe pool sp
Operand 133 | 0 imm i:Immediate | 1 tile t:TensorRef
DataPattern 134 : offset:I pattern:[APPair] channelMultiplier:I
AluOp 135 = abs add arith_shift_left arith_shift_right average bitwise_and bitwise_not bitwise_or bitwise_xor bypass
  divide is_equal is_ge is_gt is_le is_lt logical_and logical_or logical_shift_left logical_shift_right logical_xor
  max min mod mult not_equal pow rsqrt subtract
DropoutThresholdType 136 = DropRate KeepRate
AccumCmd 137 = Idle Zero Accumulate ZeroAccumulate LoadAccumulate
ActivationFunc 138 = abs arctan copy erf erf_dx exp gelu gelu_apprx_tanh gelu_dx log mish reciprocal relu rsqrt
  sigmoid sign silu silu_dx sin softplus sqrt square tanh gelu_apprx_sigmoid gelu_apprx_sigmoid_dx
AffineSelectCmp 139 = GreaterThan GreaterThanEq Eq NotEq
DgeComputeOp 140 = none add
DmaBounds 141 | 0 skip | 1 error | 2 reg reg:N
IndexMissBehavior 143 | 0 imm value:Immediate | 1 skip
TensorScalarReverseOps 144 = none first second both
TensorSubDim 145 = X XY XYZ XYZW
TransposeOps 146 = None WZXY WXZY WYXZ ZWYX ZYWX ZYXW YXWZ YXZW YWZX XWZY XZYW XYZW XYWZ
Dropout 147 : dst:TensorRef src:TensorRef thresholdType:DropoutThresholdType threshold:Operand dtype:Dtype?
Activate 148 : dst:TensorRef src:TensorRef accumulatorCmd:AccumCmd activationFunc:ActivationFunc scale:Immediate
  bias:Immediate imm:Immediate
NcActivate 149 : dst:TensorRef src:TensorRef accumulatorCmd:AccumCmd activationFunc:ActivationFunc scale:Operand
  bias:TensorRef? reduceOp:AluOp? reduceRes:TensorRef? dtype:Dtype?
AffineSelect 150 : dst:TensorRef src:TensorRef fillMode:AffineSelectCmp fillReg:N maskPattern:DataPattern
NcAffineSelect 151 : dst:TensorRef pred:DataPattern onTrueTile:TensorRef onFalseValue:Immediate dtype:Dtype?
  cmpOp:AluOp
DmaCopy 152 : dst:TensorRef src:TensorRef compute_op:DgeComputeOp dstBoundsCheck:DmaBounds srcBoundsCheck:DmaBounds
NcDmaCopy 153 : dst:TensorRef src:TensorRef compute_op:DgeComputeOp oobMode:DmaBounds dgeMode:N uniqueIndices:B
  priority:N? engine:Engine
DmaTranspose 154 : dst:TensorRef src:TensorRef axes:TransposeOps dtype:Dtype? dgeMode:N oobMode:DmaBounds
  priority:N?
Transpose 155 : dst:TensorRef src:TensorRef dtype:Dtype? engine:Engine
LoadMaskRegister 156 : regNum:N
Shuffle 157 : dst:TensorRef src:TensorRef shuffleMask:[Immediate] dtype:Dtype?
MemSet 158 : dst:TensorRef value:Immediate dtype:Dtype engine:Engine
Iota 159 : dst:TensorRef pattern:DataPattern dtype:Dtype?
LoadStationary 160 : src:TensorRef isTranspose:B
MatMul 161 : dst:TensorRef moving:TensorRef
LocalGather 162 : dst:TensorRef src:TensorRef indexMissBehavior:IndexMissBehavior freePoolBuffer:B
NcLocalGather 163 : dst:TensorRef src:TensorRef index:TensorRef numElemPerIdx:Immediate numValidIndicies:Immediate?
RangeSelect 164 : dst:TensorRef src:TensorRef reduceCommand:AccumCmd reduceOp:AluOp base:F fillValue:F compOp0:AluOp
  compOp1:AluOp bound0:Immediate bound1:Immediate
NcRangeSelect 165 : dst:TensorRef reduceCommand:AccumCmd reduceRes:TensorRef? reduceOp:AluOp? compOp0:AluOp
  compOp1:AluOp bound0:TensorRef bound1:TensorRef rangeStart:Immediate onTrueTile:TensorRef onFalseValue:Immediate
  dtype:Dtype?
ScalarTensorTensor 166 : dst:TensorRef src0:TensorRef src1:TensorRef op0:AluOp op1:AluOp
  reverseOperands:TensorScalarReverseOps imm0:Immediate accumulatorCmd:AccumCmd
NcScalarTensorTensor 167 : dst:TensorRef data:TensorRef src0:Operand src1:Operand op0:AluOp op1:AluOp
  reverseOperands:TensorScalarReverseOps dtype:Dtype?
CopyPredicated 168 : dst:TensorRef src:TensorRef predicate:TensorRef dtype:Dtype? reversePred:B
TensorTensorScan 169 : dst:TensorRef src0:TensorRef src1:TensorRef op0:AluOp op1:AluOp
  reverseOperands:TensorScalarReverseOps imm0:Operand accumulatorCmd:AccumCmd dtype:Dtype?
MatchValueLoad 170 : src:TensorRef
FindIndex8 171 : dst:TensorRef src:TensorRef vals:TensorRef dtype:Dtype?
MatchReplace8 172 : dst:TensorRef src:TensorRef vals:TensorRef replaceValue:Immediate dstIdx:TensorRef? dtype:Dtype?
Max8 173 : dst:TensorRef src:TensorRef dtype:Dtype?
BatchNormAggregate 174 : dst:TensorRef src:TensorRef dtype:Dtype?
BatchNormStats 175 : dst:TensorRef src:TensorRef dtype:Dtype?
Reciprocal 176 : dst:TensorRef src:TensorRef dtype:Dtype?
Copy 177 : dst:TensorRef src:TensorRef opDim:TensorSubDim?
NcCopy 178 : dst:TensorRef src:TensorRef dtype:Dtype? engine:Engine
TensorReduce 179 : dst:TensorRef src:TensorRef op:AluOp opDim:TensorSubDim negated:B dtype:Dtype? keepdims:B
TensorScalar 180 : dst:TensorRef src:TensorRef imm0:Operand op0:AluOp imm1:Operand? op1:AluOp?
  reverse:TensorScalarReverseOps engine:Engine dtype:Dtype?
TensorScalarReduce 181 : dst:TensorRef src:TensorRef operand0:Operand op0:AluOp reverse0:B dtype:Dtype?
  reduceOp:AluOp? reduceRes:TensorRef reduceCmd:AccumCmd reduceInit:Immediate?
TensorTensor 182 : dst:TensorRef src0:TensorRef src1:TensorRef op:AluOp dtype:Dtype? engine:Engine
NcMatMul 183 : dst:TensorRef stationary:TensorRef moving:TensorRef isStationaryOneZero:B isMovingZero:B
  isTranspose:B tilePosition:[N] tileSize:[N] perfMode:MatmulPerfMode
TensorPartitionReduce 184 : dst:TensorRef op:AluOp data:TensorRef dtype:Dtype?
SelectReduce 185 : dst:TensorRef predicate:TensorRef onTrue:TensorRef onFalse:Operand reduceRes:TensorRef?
  reduceCmd:AccumCmd reduceOp:AluOp reversePred:B dtype:Dtype?
SequenceBounds 186 : dst:TensorRef segmentIds:TensorRef dtype:Dtype?
SendRecv 187 : dst:TensorRef src:TensorRef sendToRank:Immediate recvFromRank:Immediate pipeId:Immediate
  useGpsimdDma:B
SendRecvCompute 188 : dsts:[TensorRef] srcs:[TensorRef] sendToRanks:[Immediate] recvFromRanks:[Immediate]
  pipeId:Immediate op:AluOp
BrCmpOp 189 = always lt_imm le_imm eq_imm ne_imm ge_imm gt_imm lt_reg le_reg eq_reg ne_reg ge_reg gt_reg
TensorLoad 190 : dst:S src:TensorRef
TensorStore 191 : dst:TensorRef src:S
RegisterMove 192 : dst:S imm:I
CmpBranch 193 : reg1:S reg2:S imm:I op:BrCmpOp trueLabel:S falseLabel:S
RegisterAluOp 194 : dst:S src:S imm:I op:AluOp
QuantizeMX 195 : dst:TensorRef src:TensorRef dstScale:TensorRef
MatMulMX 196 : dst:TensorRef stationary:TensorRef moving:TensorRef stationaryScale:TensorRef movingScale:TensorRef
  tilePosition:[N]? tileSize:[N]?
DmaCompute 197 : dst:TensorRef srcs:[TensorRef] scales:[Immediate] reduceOp:AluOp
ReplicaGroup 198 | 0 unspecified | 1 named name:S | 2 literal groups:[[I]]
CollectiveOp 199 : dsts:[TensorRef] srcs:[TensorRef] op:AluOp? replicaGroup:ReplicaGroup concatDim:I?
  sourceTargetPairs:[[I]]? channel_id:I? num_channels:I? priority:N?
RankId 200 : dst:S
CurrentProcessingRankId 201 : dst:S iterationId:I channelId:I numChannels:I replicaGroup:[[I]]
Send 202 : op:AluOp srcs:[TensorRef] peerId:I
Recv 203 : op:AluOp dsts:[TensorRef] replicaGroups:[I] peerId:I
CoreBarrier 204 : data:TensorRef cores:[I] engine:Engine
Rng 205 : dst:TensorRef engine:Engine
Rand2 206 : dst:TensorRef min:Operand max:Operand
RandGetState 207 : dst:TensorRef engine:Engine
SetRngSeed 208 : src:TensorRef
RandSetState 209 : src:TensorRef engine:Engine
ExtendedInst 210 : opcode:N hasRead:B hasWrite:B ports:N data0:[N] data1:[N]
TensorScalarCumulative 211 : dst:TensorRef src:TensorRef op0:AluOp op1:AluOp imm0:Operand imm1:Operand?
  reduceCmd:AccumCmd reverse:TensorScalarReverseOps dtype:Dtype?
NcNGather 212 : dst:TensorRef data:TensorRef indices:TensorRef dtype:Dtype?
NonzeroWithCount 213 : dst:TensorRef src:TensorRef indexOffset:Immediate paddingVal:Immediate
PrintOutputBuffer 214 = stdout stderr
DevicePrint 215 : src:TensorRef printPrefix:S buffer:PrintOutputBuffer
Exponential 216 : dst:TensorRef src:TensorRef maxValue:Operand reduceRes:TensorRef? reducecmd:AccumCmd
  reduceInit:Operand
Activate2 217 : dst:TensorRef src:TensorRef op0:AluOp op1:AluOp imm0:Operand imm1:Operand
  activationFunc:ActivationFunc reluParam:Operand reduceOp:AluOp reduceRes:TensorRef? reduceCmd:AccumCmd reverse0:B
  reverse1:B dtype:Dtype?
KLRFile 217 : major:N minor:N patch:N
KLRMetaData 235 : format:S
Operator 218 | 0 activate op:Activate | 1 ncActivate op:NcActivate | 2 activationReduce op:NcActivate | 3
  affineSelect op:AffineSelect | 4 ncAffineSelect op:NcAffineSelect | 5 batchNormAggregate op:BatchNormAggregate | 6
  batchNormStats op:BatchNormStats | 7 copy op:Copy | 8 ncCopy op:NcCopy | 9 copyPredicated op:CopyPredicated | 10
  dmaCopy op:DmaCopy | 11 ncDmaCopy op:NcDmaCopy | 12 dmaTranspose op:DmaTranspose | 13 dropout op:Dropout | 14
  findIndex8 op:FindIndex8 | 15 iota op:Iota | 16 loadMaskRegister op:LoadMaskRegister | 17 loadStationary
  op:LoadStationary | 18 localGather op:LocalGather | 19 ncLocalGather op:NcLocalGather | 20 matMul op:MatMul | 21
  ncMatMul op:NcMatMul | 22 matchReplace8 op:MatchReplace8 | 23 matchValueLoad op:MatchValueLoad | 24 max8 op:Max8 |
  25 memSet op:MemSet | 26 rangeSelect op:RangeSelect | 27 ncRangeSelect op:NcRangeSelect | 28 reciprocal
  op:Reciprocal | 29 scalarTensorTensor op:ScalarTensorTensor | 30 ncScalarTensorTensor op:NcScalarTensorTensor | 31
  shuffle op:Shuffle | 32 tensorReduce op:TensorReduce | 33 tensorScalar op:TensorScalar | 34 tensorTensor
  op:TensorTensor | 35 tensorTensorScan op:TensorTensorScan | 36 tensorPartitionReduce op:TensorPartitionReduce | 37
  tensorScalarReduce op:TensorScalarReduce | 38 transpose op:Transpose | 39 selectReduce op:SelectReduce | 40
  sequenceBounds op:SequenceBounds | 41 sendRecv op:SendRecv | 42 sendRecvCompute op:SendRecvCompute | 43 tensorLoad
  op:TensorLoad | 44 tensorStore op:TensorStore | 45 registerMove op:RegisterMove | 46 cmpBranch op:CmpBranch | 47
  registerAluOp op:RegisterAluOp | 48 quantizeMX op:QuantizeMX | 49 ncMatMulMX op:MatMulMX | 50 dmaCompute
  op:DmaCompute | 51 allReduce op:CollectiveOp | 52 allGather op:CollectiveOp | 53 reduceScatter op:CollectiveOp |
  54 collectivePermute op:CollectiveOp | 55 collectivePermuteImplicit op:CollectiveOp | 56
  collectivePermuteImplicitReduce op:CollectiveOp | 57 broadcast op:CollectiveOp | 58 allToAll op:CollectiveOp | 59
  rankId op:RankId | 60 currentProcessingRankId op:CurrentProcessingRankId | 61 send op:Send | 62 recv op:Recv | 63
  coreBarrier op:CoreBarrier | 64 rng op:Rng | 65 rand2 op:Rand2 | 66 randGetState op:RandGetState | 67 setRngSeed
  op:SetRngSeed | 68 randSetState op:RandSetState | 69 extendedInst op:ExtendedInst | 70 tensorScalarCumulative
  op:TensorScalarCumulative | 71 ncNGather op:NcNGather | 72 nonzeroWithCount op:NonzeroWithCount | 73 devicePrint
  op:DevicePrint | 74 exponential op:Exponential | 75 activate2 op:Activate2
Contents 236 | 2 kernel kernel:Kernel | 3 lnc kernel:LncKernel
"""

# The syntax tree of a Python kernel, contents 0. D is a float64.
PYTHON_TABLE = """
Pos 100 : line:N column:N lineEnd:N? columnEnd:N? filename:S?
Const 1 | 0 none | 1 bool value:B | 2 int value:I | 3 float value:D | 4 string value:S | 5 ellipsis | 6 tensor
  shape:[N] dtype:S
Ctx 2 = load store del
BoolOp 3 = land lor
CmpOp 4 = eq ne lt le gt ge is isNot isIn notIn
UnaryOp 5 = invert not uadd usub
BinOp 6 = add sub mul matmul div mod pow lshift rshift or xor and floor
Expr 7 : expr:Expr' pos:Pos
Expr' 8 | 0 const value:Const | 1 name id:S ctx:Ctx | 2 attr value:Expr id:S ctx:Ctx | 3 tuple xs:[Expr] ctx:Ctx | 4
  list xs:[Expr] ctx:Ctx | 5 dict keys:[Expr] values:[Expr] | 6 subscript tensor:Expr index:Expr ctx:Ctx | 7 slice
  l:Expr? u:Expr? step:Expr? | 8 boolOp op:BoolOp values:[Expr] | 9 binOp op:BinOp left:Expr right:Expr | 10 unaryOp
  op:UnaryOp operand:Expr | 11 compare left:Expr ops:[CmpOp] comparators:[Expr] | 12 ifExp test:Expr body:Expr
  orelse:Expr | 13 call f:Expr args:[Expr] keywords:[Keyword] | 14 starred e:Expr ctx:Ctx | 15 object cls:S
  fields:[Keyword] | 16 format e:Expr conv:N? | 17 joined es:[Expr]
Keyword 9 : id:S? value:Expr pos:Pos
WithItem 10 : item:Expr var:Expr?
Stmt 11 : stmt:Stmt' pos:Pos
Stmt' 12 | 0 pass | 1 expr e:Expr | 2 assert e:Expr msg:Expr? | 3 ret e:Expr | 4 assign xs:[Expr] e:Expr | 5
  augAssign x:Expr op:BinOp e:Expr | 6 annAssign x:Expr annotation:Expr value:Expr? | 7 ifStm e:Expr thn:[Stmt]
  els:[Stmt] | 8 forLoop x:Expr iter:Expr body:[Stmt] orelse:[Stmt] | 9 breakLoop | 10 continueLoop | 11 whileLoop
  test:Expr body:[Stmt] orelse:[Stmt] | 12 withBlock items:[WithItem] body:[Stmt]
Args 13 : posonlyargs:[S] args:[S] defaults:[Expr] vararg:S? kwonlyargs:[S] kw_defaults:[Keyword] kwarg:S?
Fun 14 : name:S fileName:S line:N source:S decorators:[Expr] args:Args body:[Stmt]
Class 15 : name:S bases:[Expr] decorators:[Expr] fields:[Keyword] methods:[Fun]
Kernel 16 : entry:S funcs:[Fun] classes:[Class] args:[Expr] kwargs:[Keyword] globals:[Keyword] arch:N grid:N
  scheduleEdges:[Expr] flags:[Expr]
"""


def fields_of(text):
    return [tuple(field.split(":")) for field in text.split()]


def parse_table(table):
    types = {}
    for line in table.strip().replace("\n  ", " ").splitlines():
        name, tag, kind, rest = re.match(r"(\S+) (\d+) ([:=|]) ?(.*)", line).groups()
        if kind == ":":
            types[name] = (int(tag), None, fields_of(rest))
        elif kind == "=":
            types[name] = (int(tag), {member: (number, []) for number, member in enumerate(rest.split())}, None)
        else:
            constructors = (re.match(r"(\d+) (\S+) ?(.*)", part.strip()).groups() for part in rest.split(" |"))
            constructors = {ctor: (int(number), fields_of(text)) for number, ctor, text in constructors}
            types[name] = (int(tag), constructors, None)
    return types


TYPES = parse_table(TABLE)
PYTHON_TYPES = parse_table(PYTHON_TABLE)


def head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    for code, (form, limit) in enumerate([("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32), ("Q", 1 << 64)]):
        if argument < limit:
            return bytes([major << 5 | 24 + code]) + struct.pack(">" + form, argument)
    raise ValueError(argument)


def real(value):
    if isinstance(value, str):
        known = {"NaN": 0x7FC00000, "Infinity": 0x7F800000, "-Infinity": 0xFF800000}
        bits = known[value] if value in known else int(value.removeprefix("NaN:"), 16)
        return b"\xfa" + struct.pack(">I", bits)
    return b"\xfa" + struct.pack(">f", value)


def constructor(tag, number, count):
    return bytes([0xD9, tag, number, 0x80 | count])


def encode_fields(fields, value, types):
    return b"".join(encode(kind, value.get(name), types) for name, kind in fields if kind != "-")


def encode(kind, value, types=TYPES):
    """The bytes of a value of type `kind` given as the JSON form has it."""
    if kind.endswith("?"):
        return constructor(255, 0, 0) if value is None else constructor(255, 1, 1) + encode(kind[:-1], value, types)
    if kind.startswith("["):
        return head(4, len(value)) + b"".join(encode(kind[1:-1], item, types) for item in value)
    if kind == "N":
        return head(0, value)
    if kind == "I":
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if kind == "B":
        return b"\xf5" if value else b"\xf4"
    if kind == "F":
        return real(value)
    if kind == "D":
        return b"\xfb" + struct.pack(">d", float(value))
    if kind == "S":
        return head(3, len(value.encode())) + value.encode()
    tag, constructors, fields = types[kind]
    if constructors is None:
        return constructor(tag, 0, len(fields)) + encode_fields(fields, value, types)
    name, inside = (value, {}) if isinstance(value, str) else next(iter(value.items()))
    number, fields = constructors[name]
    return constructor(tag, number, len(fields)) + encode_fields(fields, inside, types)


HEADER = b"\xd9\xd9\xf7\x83\x00\x00\x0c" + encode("KLRMetaData", {"format": "NKI"})


def encode_file(contents):
    """A whole file from {"lnc": {"kernel": {...}}} or {"kernel": {"kernel": {...}}}."""
    return HEADER + encode("Contents", contents)


def encode_python_file(kernel):
    """A file of `python` contents from the JSON form of a Python kernel."""
    return HEADER + constructor(236, 0, 1) + encode("Kernel", kernel, PYTHON_TYPES)
