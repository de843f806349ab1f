#include "serde/gathered.h"

enum { GATHERED_TAG = 240, MODULE_TAG = 241, ARGUMENT_TAG = 242 };

#define FIELD(Type, member, its_wire, kind, its_doc)                                                                   \
  {                                                                                                                    \
    .name = #member, .wire = its_wire, .type = &kind, .role = ROLE_PARAM, .offset = offsetof(Type, member),            \
    .doc = its_doc                                                                                                     \
  }

#define STRUCT_TYPE(storage, variable, Type, its_wire, its_tag, ...)                                                   \
  static const FieldInfo *fields_of_##Type(uint32_t *count)                                                            \
  {                                                                                                                    \
    static const FieldInfo fields[] = {__VA_ARGS__};                                                                   \
    *count = sizeof fields / sizeof *fields;                                                                           \
    return fields;                                                                                                     \
  }                                                                                                                    \
  storage const TypeInfo variable = {.form = FORM_STRUCT,                                                              \
                                     .name = #Type,                                                                    \
                                     .wire = its_wire,                                                                 \
                                     .tag = its_tag,                                                                   \
                                     .bytes = sizeof(Type),                                                            \
                                     .fields = fields_of_##Type};

STRUCT_TYPE(static, module_type, GatheredModule, "Module", MODULE_TAG,
            FIELD(GatheredModule, name, "name", core_STRING, "as it is imported"),
            FIELD(GatheredModule, path, "path", core_STRING, "of the file it came from"),
            FIELD(GatheredModule, is_package, "isPackage", core_BOOL, "the file is an __init__.py"),
            FIELD(GatheredModule, text, "text", core_STRING, "the whole file"))

STRUCT_TYPE(static, argument_type, GatheredArgument, "Argument", ARGUMENT_TAG,
            FIELD(GatheredArgument, name, "name", core_STRING, "parameter"),
            FIELD(GatheredArgument, text, "text", core_STRING, "value as given"))

static const TypeInfo modules_type = {
    .form = FORM_LIST, .name = "Modules", .bytes = sizeof(GatheredModules), .of = &module_type};
static const TypeInfo arguments_type = {
    .form = FORM_LIST, .name = "Arguments", .bytes = sizeof(GatheredArguments), .of = &argument_type};

STRUCT_TYPE(, gathered_type, Gathered, "Sources", GATHERED_TAG,
            FIELD(Gathered, module, "module", core_STRING, "of the entry"),
            FIELD(Gathered, function, "function", core_STRING, "the entry"),
            FIELD(Gathered, modules, "modules", modules_type, "every module needed, the entry's first"),
            FIELD(Gathered, target, "target", core_OPT_STRING, "generation to trace for"),
            FIELD(Gathered, lnc, "lnc", core_OPT_NAT, "logical cores"),
            FIELD(Gathered, arguments, "arguments", arguments_type, "in order of the command line"))
