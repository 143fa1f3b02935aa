#include "plan/family_code.h"

namespace subbyte {

// All views, whatever they keep.
Expected<Typed> element_view(Evaluator& evaluator, const Element& at);

// A function by the name of each other family, which one by its role.
#define DECLARE_none(name)
#define DECLARE_content(name)
#define DECLARE_view(name)
#define DECLARE_place(name) Expected<Typed> element_##name(Evaluator& evaluator, const Element& at);
#define DECLARE_scalar(name) DECLARE_place(name)
#define DECLARE_formula(name) DECLARE_place(name)
#define DECLARE_anchor(name) Expected<void> lower_##name(Lowering& lowering, const Kernel& kernel);
#define DECLARE_product(name) DECLARE_anchor(name)
#define FAMILY(name, role, data, still, results, own) DECLARE_##role(name)
#include "graph/families.def"

namespace {

constexpr FamilyCode kCode[] = {
#define CODE_none(name) {nullptr, nullptr},
#define CODE_content(name) {nullptr, nullptr},
#define CODE_view(name) {element_view, nullptr},
#define CODE_place(name) {element_##name, nullptr},
#define CODE_scalar(name) CODE_place(name)
#define CODE_formula(name) CODE_place(name)
#define CODE_anchor(name) {nullptr, lower_##name},
#define CODE_product(name) CODE_anchor(name)
#define FAMILY(name, role, data, still, results, own) CODE_##role(name)
#include "graph/families.def"
};

}  // namespace

const FamilyCode& family_code(Op op) {
  return kCode[static_cast<std::size_t>(family_of(op).family)];
}

}  // namespace subbyte
