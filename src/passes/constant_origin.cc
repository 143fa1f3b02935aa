#include "passes/constant_origin.h"

#include <algorithm>

namespace subbyte {

void add_alias(Value& to, const std::string& name) {
  if (name != to.name && std::ranges::find(to.aliases, name) == to.aliases.end())
    to.aliases.push_back(name);
}

void inherit_origin(Value& to, const Value& from) {
  add_alias(to, from.name);
  for (const std::string& name : from.aliases) add_alias(to, name);
  to.is_defined = to.is_defined || from.is_defined;
}

}  // namespace subbyte
