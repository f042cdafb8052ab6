// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Templates of the subset of Jinja that chat templates use: what they write.

#include "tools/text/jinja/Template.h"
#include "tools/text/jinja/Operators.h"
#include "tools/text/jinja/Syntax.h"
#include <ctime>
#include <map>

namespace tamis::text::jinja {

namespace {
using Kind = Node::Kind;

/// What a statement does to those around it.
enum class Flow { on, leave, next };

class Rendering {
public:
  explicit Rendering(const Json &variables) {
    scopes.resize(2); // what is given, and what the template sets
    for (const auto &[name, value] : variables.items())
      scopes[0][name] = value;
  }

  std::string run(const std::vector<NodePtr> &statements) {
    std::string output;
    runAll(statements, output);
    return output;
  }

private:
  using Scope = std::map<std::string, Value>;
  static constexpr size_t maxOutput = 16 << 20;
  static constexpr int64_t maxSteps = 5'000'000;
  static constexpr int maxDepth = 100; ///< of macros that call others

  /// Bounds work and memory: copies count by their elements.
  void charge(int64_t count = 1) {
    if ((steps += count) > maxSteps)
      throw TemplateError("the template takes too many steps");
  }
  static int64_t sizeOf(const Json &json) {
    int64_t size = json.is_string() ? 1 + int64_t(json.get_ref<const std::string &>().size()) / 64 : 1;
    if (json.is_structured())
      for (const Json &each : json)
        size += sizeOf(each);
    return size;
  }
  Value charged(Value value) {
    if (value.kind == Value::Kind::data)
      charge(sizeOf(value.json));
    return value;
  }
  void write(const std::string &text, std::string &output) {
    if (output.size() + text.size() > maxOutput)
      throw TemplateError("the template writes too much");
    output += text;
  }

  Flow runAll(const std::vector<NodePtr> &statements, std::string &output) {
    for (const NodePtr &each : statements)
      if (Flow flow = run(*each, output); flow != Flow::on)
        return flow;
    return Flow::on;
  }

  Flow run(const Node &node, std::string &output) {
    charge();
    switch (node.kind) {
    case Kind::text:
      write(node.constant.get_ref<const std::string &>(), output);
      return Flow::on;
    case Kind::write:
      write(textOf(evaluate(*node.parts[0])), output);
      return Flow::on;
    case Kind::condition:
      return runAll(isTrue(evaluate(*node.parts[0])) ? node.body : node.other, output);
    case Kind::loop:
      return loop(node, output);
    case Kind::set:
      set(node);
      return Flow::on;
    case Kind::macro:
      scopes.back()[node.name] = macro(node);
      return Flow::on;
    case Kind::leave:
      return Flow::leave;
    case Kind::next:
      return Flow::next;
    default:
      return runAll(node.body, output);
    }
  }

  void bind(const Node &node, Value value) {
    if (!node.isTuple) {
      scopes.back()[node.names[0]] = std::move(value);
      return;
    }
    std::vector<Json> elements = elementsOf(value);
    if (elements.size() != node.names.size())
      throw TemplateError(std::to_string(elements.size()) + " values are given to " +
                          std::to_string(node.names.size()) + " names");
    for (size_t i = 0; i < elements.size(); ++i)
      scopes.back()[node.names[i]] = std::move(elements[i]);
  }

  Flow loop(const Node &node, std::string &output) {
    std::vector<Json> all = elementsOf(charged(evaluate(*node.parts[0]))), elements;
    scopes.emplace_back();
    for (Json &each : all) {
      if (node.parts.size() > 1) {
        bind(node, each);
        if (!isTrue(evaluate(*node.parts[1])))
          continue;
      }
      elements.push_back(std::move(each));
    }
    scopes.back().clear();
    Flow flow = Flow::on;
    bool wasEnded = false;
    auto count = int64_t(elements.size());
    for (int64_t i = 0; i < count && flow != Flow::leave; ++i) {
      scopes.back().clear();
      charge(sizeOf(elements[size_t(i)]));
      bind(node, elements[size_t(i)]);
      Json state{{"index", i + 1},        {"index0", i},
                 {"revindex", count - i}, {"revindex0", count - i - 1},
                 {"first", i == 0},       {"last", i == count - 1},
                 {"length", count}};
      if (i > 0)
        state["previtem"] = elements[size_t(i) - 1];
      if (i + 1 < count)
        state["nextitem"] = elements[size_t(i) + 1];
      scopes.back()["loop"] = std::move(state);
      flow = runAll(node.body, output);
      wasEnded |= flow == Flow::on;
    }
    scopes.pop_back();
    // As Jinja has it: a loop that has not once gone through its whole body counts as one without elements.
    return wasEnded ? Flow::on : runAll(node.other, output);
  }

  void set(const Node &node) {
    Value value;
    if (node.parts.empty()) {
      std::string text;
      scopes.emplace_back();
      runAll(node.body, text);
      scopes.pop_back();
      value = Json(std::move(text));
    } else {
      value = charged(evaluate(*node.parts[0]));
    }
    if (node.name.empty())
      return bind(node, std::move(value));
    Value *space = find(node.names[0]);
    if (!space || space->kind != Value::Kind::space)
      throw TemplateError("'" + node.names[0] + "' is no namespace, whose attributes alone can be set");
    if (value.isUndefined())
      space->space->erase(node.name);
    else
      (*space->space)[node.name] = dataOf(value, "is kept in a namespace");
  }

  Value macro(const Node &node) {
    Value value;
    value.kind = Value::Kind::function;
    value.function = std::make_shared<std::function<Value(Arguments &)>>([this, &node](Arguments &arguments) -> Value {
      if (++depth > maxDepth)
        throw TemplateError("macros call each other too deeply");
      Scope parameters;
      size_t required = node.names.size() - node.parts.size();
      if (arguments.plain.size() > node.names.size())
        throw TemplateError("the macro '" + node.name + "' takes " + std::to_string(node.names.size()) + " arguments");
      for (size_t i = 0; i < node.names.size(); ++i)
        if (const Value *given = argument(arguments, i, node.names[i].c_str()))
          parameters[node.names[i]] = *given;
        else
          parameters[node.names[i]] =
              i >= required ? evaluate(*node.parts[i - required]) : Value::undefined(node.names[i]);
      // It sees what the template has set, and nothing of who calls.
      std::vector<Scope> callers(std::make_move_iterator(scopes.begin() + 2), std::make_move_iterator(scopes.end()));
      scopes.resize(2);
      scopes.push_back(std::move(parameters));
      std::string text;
      runAll(node.body, text);
      scopes.resize(2);
      for (Scope &scope : callers)
        scopes.push_back(std::move(scope));
      --depth;
      return Json(std::move(text));
    });
    return value;
  }

  Value *find(const std::string &name) {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope)
      if (auto it = scope->find(name); it != scope->end())
        return &it->second;
    return nullptr;
  }

  /// The data that names, attributes and indices lead to, where it lies; null where it is none of that.
  const Json *peek(const Node &node) {
    if (node.kind == Kind::name) {
      Value *value = find(node.name);
      return !value                              ? nullptr
             : value->kind == Value::Kind::data  ? &value->json
             : value->kind == Value::Kind::space ? value->space.get()
                                                 : nullptr;
    }
    if (node.kind == Kind::constant)
      return &node.constant;
    if (node.kind != Kind::attribute && node.kind != Kind::item)
      return nullptr;
    const Json *from = peek(*node.parts[0]);
    if (!from)
      return nullptr;
    Value key = node.kind == Kind::item ? evaluate(*node.parts[1]) : Value(Json(node.name));
    return key.kind == Value::Kind::data ? member(*from, key.json) : nullptr;
  }

  Value evaluate(const Node &node) {
    charge();
    switch (node.kind) {
    case Kind::constant:
      return node.constant;
    case Kind::name: {
      Value *value = find(node.name);
      return value ? *value : Value::undefined(node.name);
    }
    case Kind::attribute:
    case Kind::item:
      return memberOf(node);
    case Kind::list:
    case Kind::dict:
      return charged(collection(node));
    case Kind::slice:
      return charged(sliceOf(node));
    case Kind::call:
      return charged(call(node));
    case Kind::filter: {
      Value value = evaluate(*node.parts[0]);
      Arguments arguments = argumentsOf(node);
      return charged(filtered(node.name, value, arguments));
    }
    case Kind::test: {
      Value value = evaluate(*node.parts[0]);
      return Json(isOfTest(node.name, value, argumentsOf(node)));
    }
    case Kind::choice:
      if (isTrue(evaluate(*node.parts[1])))
        return evaluate(*node.parts[0]);
      return node.parts[2] ? evaluate(*node.parts[2]) : Value::undefined("else");
    case Kind::unary:
      return negated(node.name, evaluate(*node.parts[0]));
    case Kind::binary: {
      Value left = evaluate(*node.parts[0]);
      // The other one is not looked at where this one decides.
      if (node.name == "and" || node.name == "or")
        return isTrue(left) == (node.name == "or") ? left : evaluate(*node.parts[1]);
      return charged(combined(node.name, left, evaluate(*node.parts[1])));
    }
    default:
      throw TemplateError("a statement stands where an expression is wanted");
    }
  }

  Value memberOf(const Node &node) {
    if (const Json *found = peek(node))
      return *found;
    Value from = evaluate(*node.parts[0]);
    Value key = node.kind == Kind::item ? evaluate(*node.parts[1]) : Value(Json(node.name));
    const Json *of = from.kind == Value::Kind::space ? from.space.get() : nullptr;
    if (!of)
      of = &dataOf(from, ("has no '" + textOf(key) + "'").c_str());
    if (of->is_string() && node.kind == Kind::item)
      return characterOf(from, key);
    const Json *found = member(*of, dataOf(key, "is no index"));
    return found ? Value(*found) : Value::undefined(textOf(key));
  }

  Value collection(const Node &node) {
    bool isDict = node.kind == Kind::dict;
    Json json = isDict ? Json::object() : Json::array();
    for (size_t i = 0; i < node.parts.size(); ++i) {
      Value value = evaluate(*node.parts[i]);
      if (!isDict) {
        json.push_back(dataOf(value, "is put into a list"));
        continue;
      }
      if (!value.isString())
        throw TemplateError("a " + typeOf(value) + " is the key of a dict, where strings are supported");
      json[value.string()] = dataOf(charged(evaluate(*node.parts[++i])), "is put into a dict");
    }
    return json;
  }

  Value sliceOf(const Node &node) {
    Value bounds[3];
    for (size_t i = 0; i < 3; ++i)
      bounds[i] = node.parts[i + 1] ? evaluate(*node.parts[i + 1]) : Value(Json(nullptr));
    return sliced(evaluate(*node.parts[0]), bounds[0], bounds[1], bounds[2]);
  }

  Arguments argumentsOf(const Node &node) {
    Arguments arguments;
    for (size_t i = 1; i < node.parts.size(); ++i)
      arguments.plain.push_back(evaluate(*node.parts[i]));
    for (const auto &[name, part] : node.named)
      arguments.named.emplace_back(name, evaluate(*part));
    return arguments;
  }

  Value call(const Node &node) {
    const Node &what = *node.parts[0];
    Arguments arguments = argumentsOf(node);
    if (what.kind == Kind::attribute) {
      Value object = evaluate(*what.parts[0]);
      return methodOf(object, what.name, arguments);
    }
    if (what.kind != Kind::name)
      throw TemplateError("something is called that is no name");
    if (Value *value = find(what.name)) {
      if (value->kind != Value::Kind::function)
        throw TemplateError("'" + what.name + "' is called, which is a " + typeOf(*value));
      auto function = value->function; // stays while it runs
      return (*function)(arguments);
    }
    return builtin(what.name, arguments);
  }

  Value builtin(const std::string &name, Arguments &arguments) {
    if (name == "namespace" || name == "dict") {
      auto object = std::make_shared<Json>(Json::object());
      if (!arguments.plain.empty())
        *object = dataOf(arguments.plain[0], "is made a namespace");
      for (auto &[key, value] : arguments.named)
        if (!value.isUndefined())
          (*object)[key] = dataOf(value, "is kept in a namespace");
      if (!object->is_object())
        throw TemplateError(name + "() is given something else than a dict");
      if (name == "dict")
        return *object;
      Value space;
      space.kind = Value::Kind::space, space.space = object;
      return space;
    }
    if (name == "range") {
      int64_t bounds[3] = {0, 0, 1};
      size_t count = arguments.plain.size();
      for (size_t i = 0; i < std::min<size_t>(count, 3); ++i)
        bounds[count == 1 ? 1 : i] = integerOf(arguments.plain[i]);
      if (!count || !bounds[2])
        throw TemplateError("range() wants one to three integers, the last not zero");
      Json list = Json::array();
      for (int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1]; i += bounds[2]) {
        charge();
        list.push_back(i);
      }
      return list;
    }
    if (name == "raise_exception")
      throw TemplateError("the template refuses: " + (arguments.plain.empty() ? "" : textOf(arguments.plain[0])));
    if (name == "strftime_now") {
      time_t now = time(nullptr);
      tm local{};
      localtime_r(&now, &local);
      char text[256];
      std::string format = arguments.plain.empty() ? "%Y-%m-%d" : textOf(arguments.plain[0]);
      return Json(std::string(text, strftime(text, sizeof(text), format.c_str(), &local)));
    }
    throw TemplateError("the function '" + name + "' is not supported");
  }

  std::vector<Scope> scopes;
  int64_t steps = 0;
  int depth = 0;
};
} // namespace

Template::Template(std::vector<std::unique_ptr<Node>> statements) : statements(std::move(statements)) {}
Template::Template(Template &&) noexcept = default;
Template &Template::operator=(Template &&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(const std::string &source) {
  try {
    return Template(parseTemplate(source));
  } catch (const std::exception &error) {
    return Error(TAMIS_INVALID_ARGUMENT, std::string("the chat template cannot be read: ") + error.what());
  }
}

Result<std::string> Template::render(const nlohmann::ordered_json &variables) const {
  try {
    return Rendering(variables).run(statements);
  } catch (const std::exception &error) {
    return Error(TAMIS_INVALID_ARGUMENT, std::string("the chat template cannot be executed: ") + error.what());
  }
}

} // namespace tamis::text::jinja
